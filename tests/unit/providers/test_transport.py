"""Connections: their number, their lifetime, and what they carry."""

from __future__ import annotations

import os
import random
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from yarl import URL

from batch.finish_reasons import FinishReasons
from batch.providers.aiohttp_transport import Connector
from batch.providers.autonomous_provider import AutonomousAI
from batch.providers.client import HttpClient
from batch.providers.http1 import Connections, Route
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Outcome
from batch.testing import (
    DONE,
    LAST_CHUNK,
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
    event,
    finish,
    head,
    status,
    whole,
)
from tests.support.transport_support import (
    GOOD,
    KEY,
    PATIENT,
    REQUEST,
    ask,
    endpoint,
    text_of,
)

if TYPE_CHECKING:
    from batch.testing import Received, Script


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_paths")]


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


async def test_only_the_scheduler_limits_the_connections() -> None:
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


@pytest.mark.parametrize("unasked", [answer("unrequested"), status(408)], ids=["an answer", "408"])
async def test_data_on_an_idle_connection_answers_no_request(unasked: Script) -> None:
    async with FaultServer([*GOOD, Pause(0.02), *unasked]) as server:
        connections, route = Connections(Connector()), Route(URL(server.url), {})
        connection = await connections.open(route)
        response = await route.post(connection, b"")
        while await response.content.readany():
            pass
        connections.release(route, connection, is_answered=True)
        with anyio.fail_after(5):
            while connection.protocol is not None and not connection.protocol.should_close:
                await anyio.lowlevel.checkpoint()
        assert connections.kept(route) is None
        await connections.close()


async def test_the_answer_to_a_cancelled_request_is_not_the_next_one_s() -> None:
    async with FaultServer([Pause(0.05), *answer("too late")], GOOD) as server, HttpClient(PATIENT) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(endpoint(client, server.url).complete, REQUEST)
            with anyio.fail_after(5):
                while not server.requests:
                    await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert text_of(await endpoint(client, server.url).complete(REQUEST)) == "Hello"
        assert server.connections == 2


async def test_a_request_is_not_repeated_after_a_partial_response_on_a_reused_connection() -> None:
    half: Script = [Send(b"HTTP/1.1 200 OK\r\ncontent-"), Cut()]
    async with FaultServer(GOOD, half, GOOD) as server, HttpClient(PATIENT) as client:
        await endpoint(client, server.url).complete(REQUEST)
        outcome = await endpoint(client, server.url).complete(REQUEST)
        assert isinstance(outcome, Failure)
        assert (outcome.code, len(server.requests)) == ("truncated", 2)


async def test_a_request_is_not_repeated_uncounted_after_a_new_connection_was_lost() -> None:
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


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with FaultServer(GOOD) as server:
        assert text_of(await ask(server.url)) == "Hello"


def bomb(pattern: bytes, mebibytes: int) -> bytes:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    piece = pattern * (2**20 // len(pattern))
    return b"".join(packer.compress(piece) for _ in range(mebibytes)) + packer.flush()


@pytest.mark.parametrize("pattern", [b"x", b"\n", b": ping\n\n", b"data: {}\n\n"], ids=repr)
async def test_a_decompression_bomb_is_limited(pattern: bytes) -> None:
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


async def test_a_decompression_bomb_in_an_error_body_is_limited_too() -> None:
    async with FaultServer(status(500, bomb(b"x", 240), content_encoding="gzip")) as server:
        await ask(server.url)
        tracemalloc.start()
        try:
            outcome = await ask(server.url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert isinstance(outcome, Failure)
    assert outcome.code == "http_500"
    assert peak < 6 * 2**20


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
"""Ten thousand: ``PROMPTJOBS_FAULTY_REQUESTS=10000 pytest tests/unit/providers/test_transport.py -k
descriptors_are``.
"""


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


def beside(text: str) -> bytes:
    """A piece of text with a finish reason in the same event."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]})


async def test_after_output_behind_a_finish_reason_the_endpoint_is_waited_for() -> None:
    """A finish reason followed by silence is a complete answer, unless output has followed one before."""
    silent: Script = [Send(head() + chunk(delta("Hel") + finish())), Stall()]
    goes_on = [Send(head() + chunk(beside("Hel") + beside("lo") + DONE) + LAST_CHUNK)]
    limits = Timeouts(connect=10, first_byte=10, idle=0.1, finish=0.05)
    async with FaultServer(silent, goes_on, silent) as server, HttpClient(limits) as client:
        provider = endpoint(client, server.url)
        assert text_of(await provider.complete(REQUEST)) == "Hel"
        assert text_of(await provider.complete(REQUEST)) == "Hello"
        outcome = await provider.complete(REQUEST)
        assert isinstance(outcome, Failure)
        assert (outcome.code, outcome.partial_text) == ("idle_timeout", "Hel")
        other = await endpoint(client, server.url).complete(REQUEST)
        assert text_of(other) == "Hel", "another route knows nothing of it"


async def test_the_words_of_a_job_reach_the_decoder() -> None:
    words = FinishReasons(complete=frozenset({"done"}))
    async with FaultServer(answer("Hello", reason="done")) as server, HttpClient(PATIENT) as client:
        outcome = await endpoint(client, server.url).complete(REQUEST)
        assert isinstance(outcome, Failure)
        async with HttpClient(PATIENT, finish_reasons=words) as taught:
            assert text_of(await endpoint(taught, server.url).complete(REQUEST)) == "Hello"
