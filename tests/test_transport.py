"""Connections, proxies, certificates and secrets: what leaves this machine, for whom, and over what."""

from __future__ import annotations

import base64
import gc
import json
import logging
import os
import random
import ssl
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from batch.errors import AttemptError
from batch.providers.autonomous import AutonomousAI
from batch.providers.credentials import Credentials
from batch.providers.deadlines import Timeouts
from batch.providers.http import HttpClient
from batch.providers.openai import OpenAIEndpoint
from batch.records import Failure, Outcome, Reply, Request
from batch.testing import (
    Cut,
    Drip,
    FaultServer,
    Pause,
    Reset,
    Send,
    Stall,
    answer,
    chunk,
    delta,
    finish,
    head,
    status,
    whole,
)
from tests.proxy_support import proxy_to

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

KEY = "sk-a-secret-key-of-some-length-0123456789"
PASSWORD = "a-proxy-password-of-some-length"
PATIENT = Timeouts(connect=10, first_byte=10, idle=10)
REQUEST = Request("a", "f", "m", "m", ({"role": "user", "content": "?"},))
GOOD = answer("Hello")

CA = trustme.CA()
TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CA.configure_trust(TRUSTING)


def serving_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1", "endpoint.test").configure_cert(context)
    return context


def endpoint(client: HttpClient, url: str, *secrets: str) -> OpenAIEndpoint:
    return OpenAIEndpoint(client, url, Credentials(KEY, {}, secrets))


async def ask(url: str, **options: Any) -> Outcome:
    """Ask once, with a client of its own."""
    async with HttpClient(options.pop("timeouts", PATIENT), **options) as client:
        return await endpoint(client, url).complete(REQUEST)


def text_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Reply), outcome
    return outcome.text


# Connections


async def test_one_after_another_they_share_a_connection() -> None:
    async with FaultServer(GOOD) as server, HttpClient(PATIENT) as client:
        for _ in range(20):
            assert text_of(await endpoint(client, server.url).complete(REQUEST)) == "Hello"
        assert (len(server.requests), server.connections) == (20, 1)


@pytest.mark.parametrize("script", [whole("Hello"), status(400, b"no"), status(503), status(204)])
async def test_a_connection_is_kept_whatever_the_answer_was(script: Script) -> None:
    async with FaultServer(script) as server, HttpClient(PATIENT) as client:
        for _ in range(3):
            await endpoint(client, server.url).complete(REQUEST)
        assert (len(server.requests), server.connections) == (3, 1)


async def test_nobody_but_the_scheduler_bounds_the_connections() -> None:
    together = 150
    arrived = anyio.Event()

    def script(received: Received) -> Script:
        if received.number == together:
            arrived.set()
        return [Send(head()), Pause(0.05), Send(chunk(delta("Hello") + finish())), Cut()]

    outcomes: list[Outcome] = []
    async with FaultServer(script) as server, HttpClient(PATIENT) as client:
        provider = endpoint(client, server.url)

        async def one() -> None:
            outcomes.append(await provider.complete(REQUEST))

        async with anyio.create_task_group() as tasks:
            for _ in range(together):
                tasks.start_soon(one)
            with anyio.fail_after(5):
                await arrived.wait()
        assert server.connections == together
    assert [text_of(outcome) for outcome in outcomes] == ["Hello"] * together


async def test_a_request_that_is_cancelled_closes_its_connection() -> None:
    async with FaultServer([Send(head() + chunk(delta("Hel"))), Stall()]) as server:
        async with HttpClient(PATIENT) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(endpoint(client, server.url).complete, REQUEST)
            with anyio.fail_after(5):
                while not server.requests:
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            while server.open_connections:
                await anyio.lowlevel.checkpoint()


async def test_a_generator_that_is_left_early_closes_its_connection() -> None:
    async with FaultServer([Send(head() + chunk(delta("Hel"))), Stall()]) as server:
        pieces = AutonomousAI.create_async_generator("llama", [], stream=True, base_url=server.url)
        assert await anext(pieces) == "Hel"
        await pieces.aclose()
        with anyio.fail_after(5):
            while server.open_connections:
                await anyio.lowlevel.checkpoint()


async def test_a_reused_connection_that_answered_in_part_is_not_asked_twice() -> None:
    half: Script = [Send(b"HTTP/1.1 200 OK\r\ncontent-"), Cut()]
    async with FaultServer(GOOD, half, GOOD) as server, HttpClient(PATIENT) as client:
        await endpoint(client, server.url).complete(REQUEST)
        outcome = await endpoint(client, server.url).complete(REQUEST)
        assert isinstance(outcome, Failure)
        assert (outcome.code, len(server.requests)) == ("truncated", 2)


async def test_a_fresh_connection_that_dies_is_not_asked_a_second_time_for_free() -> None:
    async with FaultServer(GOOD, [Cut()], [Cut()], GOOD) as server, HttpClient(PATIENT) as client:
        await endpoint(client, server.url).complete(REQUEST)
        outcome = await endpoint(client, server.url).complete(REQUEST)
        assert isinstance(outcome, Failure)
        assert (outcome.code, len(server.requests)) == ("truncated", 3)


async def test_a_name_with_two_addresses_finds_the_one_that_answers() -> None:
    async with FaultServer(GOOD) as server:
        assert text_of(await ask(server.url.replace("127.0.0.1", "localhost"))) == "Hello"


# What is sent, and to whom


async def test_the_request_asks_for_no_encoding_and_sends_no_cookie_back() -> None:
    cookie = [
        Send(head(200, set_cookie="a=b", connection="keep-alive", transfer_encoding="chunked")),
        GOOD[0],
    ]
    first = [cookie[0], Send(chunk(delta("Hello") + finish()) + b"0\r\n\r\n")]
    async with FaultServer(first, GOOD) as server, HttpClient(PATIENT) as client:
        await endpoint(client, server.url).complete(REQUEST)
        await endpoint(client, server.url).complete(REQUEST)
    for received in server.requests:
        assert received.headers["accept-encoding"] == "identity"
        assert received.headers["authorization"] == f"Bearer {KEY}"
        assert received.headers["content-length"] == str(len(received.body))
        assert "cookie" not in received.headers


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(code: int) -> None:
    async with FaultServer(GOOD) as other:
        async with FaultServer(status(code, location=f"{other.url}/steal")) as server:
            outcome = await ask(server.url)
        assert isinstance(outcome, Failure)
        assert outcome.code == "redirect"
        assert other.connections == 0


async def test_the_environment_s_proxies_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with FaultServer(GOOD) as server:
        assert text_of(await ask(server.url)) == "Hello"


def bomb(pattern: bytes, mebibytes: int) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    piece = pattern * (2**20 // len(pattern))
    return b"".join(packer.compress(piece) for _ in range(mebibytes)) + packer.flush()


@pytest.mark.parametrize("pattern", [b"x", b"\n", b": ping\n\n", b"data: {}\n\n"], ids=repr)
async def test_a_decompression_bomb_goes_off_in_a_small_room(pattern: bytes) -> None:
    gzip = head(200, content_type="text/event-stream", content_encoding="gzip", connection="close")
    script: Script = [Send(gzip + bomb(b"data: " + pattern if pattern == b"x" else pattern, 50)), Cut()]
    async with FaultServer(script) as server:
        await ask(server.url, max_body=2**20)  # imports and caches
        tracemalloc.start()
        try:
            outcome = await ask(server.url, max_body=2**20, max_event=2**19)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert isinstance(outcome, Failure)
    assert outcome.code == "too_large"
    assert peak < 12 * 2**20


# Proxies


async def test_an_http_proxy_is_asked_for_the_whole_url() -> None:
    async with FaultServer(GOOD) as proxy:
        outcome = await ask("http://endpoint.invalid/v1", proxy=proxy.url.replace("//", f"//me:{PASSWORD}@"))
    assert text_of(outcome) == "Hello"
    (received,) = proxy.requests
    assert received.target == "http://endpoint.invalid/v1/chat/completions"
    credentials = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    assert received.headers["proxy-authorization"] == f"Basic {credentials}"


async def test_a_tunnel_shows_the_proxy_nothing_and_the_endpoint_no_proxy_s_password() -> None:
    async with FaultServer(GOOD, tls=serving_tls()) as server, proxy_to(server.url) as proxy:
        with_password = proxy.url.replace("//", f"//me:{PASSWORD}@")
        outcome = await ask("https://endpoint.test/v1", proxy=with_password, tls=TRUSTING)
    assert text_of(outcome) == "Hello"
    (head_of_tunnel,) = proxy.asked
    assert head_of_tunnel.startswith(b"CONNECT endpoint.test:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic " in head_of_tunnel.lower()
    assert KEY.encode() not in head_of_tunnel + proxy.carried
    (received,) = server.requests
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert "proxy-authorization" not in received.headers


async def test_a_tunnel_does_not_weaken_the_certificate_s_check() -> None:
    async with FaultServer(GOOD, tls=serving_tls()) as server, proxy_to(server.url) as proxy:
        outcome = await ask("https://another.test/v1", proxy=proxy.url, tls=TRUSTING)
    assert isinstance(outcome, Failure)
    assert (outcome.code, server.requests) == ("tls", [])


# Secrets


PROXY_FAULTS: dict[str, list[Script]] = {
    "407": [status(407, f"wrong: {PASSWORD}".encode())],
    "502": [status(502, f"tried {PASSWORD} and {KEY}".encode())],
    "cut": [[Cut()]],
    "reset": [[Reset()]],
    "silent": [[Stall()]],
    "no HTTP": [[Send(f"{PASSWORD} {KEY}\r\n\r\n".encode()), Cut()]],
    "a header": [[Send(f"HTTP/1.1 200 OK\r\n{PASSWORD} {KEY}\r\n\r\n".encode()), Cut()]],
    "redirect": [status(302, location=f"http://{PASSWORD}@{KEY}/")],
    "error event": [[Send(head() + chunk(b'data: {"error": "' + KEY.encode() + b'"}\n\n')), Cut()]],
    "no JSON": [[Send(head() + chunk(b"data: " + KEY.encode() + b"\n\n")), Cut()]],
    "partial text": [[Send(head() + chunk(delta(f"You are {KEY} of {PASSWORD}."))), Cut()]],
    "text": [answer(f"You are {KEY} of {PASSWORD}.")],
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("fault", PROXY_FAULTS)
async def test_no_secret_is_in_an_outcome_a_log_or_a_repr(
    fault: str, scheme: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with FaultServer(*PROXY_FAULTS[fault]) as proxy:
        url = f"{scheme}://endpoint.invalid/v1"
        short = Timeouts(connect=0.1, first_byte=0.1)
        client = HttpClient(short, proxy=proxy.url.replace("//", f"//me:{PASSWORD}@"))
        async with client:
            provider = endpoint(client, url, PASSWORD)
            outcome = await provider.complete(REQUEST)
            shown = [repr(outcome), repr(client), repr(provider), str(vars(provider).get("_credentials"))]
        if isinstance(outcome, Failure):
            shown.append(str(AttemptError(outcome)))
    gc.collect()
    shown += [caplog.text, *capsys.readouterr()]
    encoded = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    for secret in (KEY, PASSWORD, encoded):
        assert not any(secret in text for text in shown)


async def test_a_short_key_does_not_eat_the_answer() -> None:
    async with FaultServer(answer("I run on ollama.")) as server, HttpClient(PATIENT) as client:
        provider = OpenAIEndpoint(client, server.url, Credentials("ollama"))
        assert text_of(await provider.complete(REQUEST)) == "I run on ollama."


async def test_a_key_that_a_server_echoes_is_in_no_file_and_on_no_screen(promptjobs: Command) -> None:
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
    async with FaultServer(status(422, echo)) as server:
        job = {
            "provider": "openai",
            "model": "m",
            "prompt": "?",
            "api_key_env": "MY_KEY",
            "base_url": server.url,
        }
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job))
        ended = await promptjobs("run", "job.yaml", "--json", env={"MY_KEY": KEY})
    assert ended.code == 1
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    files = [path.read_text("utf-8") for path in promptjobs.folder.rglob("*") if path.is_file()]
    assert any("Incorrect API key provided: …" in file for file in files)
    assert not any(KEY in text for text in [*files, ended.stdout, ended.stderr])


# Certificates and limits of the whole command


async def test_a_custom_authority_is_trusted_by_the_variable_that_everybody_knows(
    promptjobs: Command, tmp_path: Path
) -> None:
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with FaultServer(GOOD, tls=serving_tls()) as server:
        job = {"provider": "openai", "model": "m", "prompt": "?", "base_url": server.url}
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job))
        ended = await promptjobs("run", "job.yaml")
        assert (ended.code, server.requests) == (7, [])
        assert "certificate" in ended.stderr
        ended = await promptjobs("run", "job.yaml", env={"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
        assert (ended.code, len(server.requests)) == (0, 1)


async def test_with_few_descriptors_a_run_gets_through_on_fewer_connections(promptjobs: Command) -> None:
    slow: Script = [Send(head()), Pause(0.05), Send(chunk(delta("Hello") + finish())), Cut()]
    job: dict[str, Any] = {
        "provider": "openai",
        "model": "m",
        "prompts": [{"id": str(number), "prompt": "?"} for number in range(120)],
        "concurrency": 100,
    }
    async with FaultServer(slow) as server:
        (promptjobs.folder / "job.yaml").write_text(json.dumps(job | {"base_url": server.url}))
        command = promptjobs.arguments("run", "job.yaml")
        limited = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *command]
        with anyio.fail_after(60):
            ended = await anyio.run_process(
                limited, cwd=promptjobs.folder, env=promptjobs.environment, check=False
            )
    assert ended.returncode == 0, ended.stderr.decode()
    assert len(server.requests) == 120
    lines = (promptjobs.folder / "output" / "job.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"succeeded"}


# In the long run


FAULTS: list[Script] = [
    GOOD,
    [Cut()],
    [Reset()],
    [Send(b"HTTP/1.1 200"), Reset()],
    [Send(head()), Cut()],
    [Send(head() + chunk(delta("Hel"))), Reset()],
    [Send(head() + chunk(delta("Hel")) + b"no size\r\n"), Stall()],
    [Send(head() + chunk(delta("Hel") + finish())), Cut()],
    [Send(head() + chunk(b"data: {\n\n")), Drip(chunk(b"\n"), 0.001)],
    [Send(head() + chunk(b"data: " + b"x" * 5000)), Stall()],
    [Send(b"no HTTP\r\n\r\n"), Stall()],
    status(503, b"busy"),
    [Send(head(503, content_length="9")), Cut()],
    status(302, location="/elsewhere"),
    [Send(head()), Stall()],
]
FAULTY_REQUESTS = int(os.environ.get("PROMPTJOBS_FAULTY_REQUESTS", "300"))
"""Ten thousand: ``PROMPTJOBS_FAULTY_REQUESTS=10000 pytest tests/test_transport.py -k descriptors``."""


async def test_after_many_faults_the_open_descriptors_are_those_of_before() -> None:
    hurried = Timeouts(connect=5, first_byte=0.01, idle=0.01, finish=0.01)
    chance = random.Random(7)
    async with FaultServer(lambda _: chance.choice(FAULTS)) as server:
        before = len(os.listdir("/dev/fd"))
        async with HttpClient(hurried, max_event=4096) as client:
            provider = endpoint(client, server.url)

            async def many() -> None:
                for _ in range(FAULTY_REQUESTS // 10):
                    await provider.complete(REQUEST)

            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(many)
        with anyio.fail_after(10):
            while len(os.listdir("/dev/fd")) > before or server.open_connections:
                await anyio.lowlevel.checkpoint()
        assert len(server.requests) >= FAULTY_REQUESTS // 10 * 10
