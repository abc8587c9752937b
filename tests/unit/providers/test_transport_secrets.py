"""Secrets reach only their endpoint: no file, no log and no terminal."""

from __future__ import annotations

import base64
import gc
import json
import logging
from typing import TYPE_CHECKING

import pytest

from batch.errors import AttemptError
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.timeouts import Timeouts
from batch.records import Failure
from batch.testing import (
    DONE,
    LAST_CHUNK,
    Cut,
    FaultServer,
    Reset,
    Send,
    Stall,
    answer,
    chunk,
    delta,
    head,
    status,
)
from tests.support.cli_support import Cli, in_thread
from tests.support.transport_support import (
    KEY,
    PASSWORD,
    PATIENT,
    REQUEST,
    endpoint,
    openai_endpoint,
    text_of,
)

if TYPE_CHECKING:
    from batch.testing import Script


pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_paths")]


TOOL_CALL = {
    "id": PASSWORD,
    "x": [{KEY: KEY}],
    "function": {"name": KEY, "arguments": json.dumps({"key": KEY})},
}
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
PROXY_FAULTS: dict[str, list[Script]] = {
    "407": [status(407, f"wrong: {PASSWORD}".encode())],
    "502": [status(502, f"tried {PASSWORD} and {KEY}".encode())],
    "500, and the headers": [status(500, f"Basic {BASIC}".encode())],
    "cut": [[Cut()]],
    "reset": [[Reset()]],
    "silent": [[Stall()]],
    "no HTTP": [[Send(f"{PASSWORD} {KEY}\r\n\r\n".encode()), Cut()]],
    "a header": [[Send(f"HTTP/1.1 200 OK\r\n{PASSWORD} {KEY}\r\n\r\n".encode()), Cut()]],
    "redirect": [status(302, location=f"http://{PASSWORD}@{KEY}/")],
    "error event": [[Send(head() + chunk(b'data: {"error": "' + KEY.encode() + b'"}\n\n')), Cut()]],
    "no JSON": [[Send(head() + chunk(b"data: " + KEY.encode() + b"\n\n")), Cut()]],
    "partial text": [[Send(head() + chunk(delta(f"You are {KEY} of {PASSWORD}."))), Cut()]],
    "tool call": [[Send(head() + chunk(delta(tool_calls=[TOOL_CALL]) + DONE) + LAST_CHUNK)]],
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
    for secret in (KEY, PASSWORD, BASIC):
        assert not any(secret in text for text in shown)


async def test_a_short_key_does_not_redact_the_answer() -> None:
    async with FaultServer(answer("I run on ollama.")) as server, HttpClient(PATIENT) as client:
        provider = openai_endpoint(client, server.url, Credentials("ollama"))
        assert text_of(await provider.complete(REQUEST)) == "I run on ollama."


def test_an_echoed_key_reaches_no_file_and_no_terminal(cli: Cli) -> None:
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()
    with in_thread(FaultServer(status(422, echo))) as server:
        job = {
            "provider": "openai",
            "model": "m",
            "prompt": "?",
            "api_key_env": "MY_KEY",
            "base_url": server.url,
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        ended = cli("run", "job.yaml", "--json", MY_KEY=KEY)
    assert ended.code == 1
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    files = [path.read_text("utf-8") for path in cli.folder.rglob("*") if path.is_file()]
    assert any("Incorrect API key provided: …" in file for file in files)
    assert not any(KEY in text for text in [*files, ended.stdout, ended.stderr])


async def test_an_exception_that_quotes_a_key_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ValueError(f"invalid header value: Bearer {KEY}")

    monkeypatch.setattr("batch.wire.dialects.openai.encode", fail)
    async with HttpClient(PATIENT) as client:
        outcome = await endpoint(client, "http://127.0.0.1:9/v1").complete(REQUEST)
    assert isinstance(outcome, Failure)
    assert outcome.code == "internal_error"
    assert outcome.message.startswith("ValueError: invalid header value: Bearer … (")
