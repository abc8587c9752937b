"""``mode: whole`` and ``keep_alive: false``, and requests whose connection was lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from msgspec.structs import replace

from batch.jobfile import load_mapping
from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Outcome, Reply, Request
from batch.results.export import openai_batch
from batch.results.export.protocol import Answer
from batch.testing import (
    DONE,
    LAST_CHUNK,
    Cut,
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
from batch.wire.dialects import openai
from tests.support.cli_support import Cli, in_thread
from tests.support.results_support import failed
from tests.support.transport_support import PATIENT, autonomous_endpoint, openai_endpoint, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Script
    from batch.testing.fault_server import Received

pytestmark = pytest.mark.anyio

KINDS = [openai_endpoint, autonomous_endpoint]
GOOD = answer("Hello")


def request(params: dict[str, Any] | None = None) -> Request:
    return Request("a", "f", "m", "llama", ({"role": "user", "content": "?"},), params or {})


async def ask(
    url: str, kind: Any = openai_endpoint, times: int = 1, *, stream: bool = True, **options: Any
) -> list[Outcome]:
    """Ask one endpoint several times, one after the other."""
    with anyio.fail_after(20):
        async with HttpClient(options.pop("timeouts", PATIENT), **options) as client:
            provider = kind(client, url, Credentials(), stream=stream)
            return [await provider.complete(request()) for _ in range(times)]


# mode: whole


@pytest.mark.parametrize("kind", KINDS)
async def test_a_whole_answer_is_asked_for_without_a_stream(kind: Any) -> None:
    async with FaultServer(whole("Hello")) as server:
        (outcome,) = await ask(server.url, kind, stream=False)
    assert text_of(outcome) == "Hello"
    (received,) = server.requests
    assert received.json["stream"] is False
    assert "stream_options" not in received.json
    assert received.headers["accept"] == "application/json"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_streams_all_the_same_is_read(kind: Any) -> None:
    async with FaultServer(GOOD) as server:
        (outcome,) = await ask(server.url, kind, stream=False)
    assert text_of(outcome) == "Hello"


SLOW: Script = [Pause(0.3), *whole("Hello")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("timeouts", "code"),
    [
        (Timeouts(first_byte=5, idle=0.05), None),
        (Timeouts(first_byte=0.1, idle=5), "first_byte_timeout"),
        (Timeouts(first_byte=5, idle=5, total=0.1), "total_timeout"),
    ],
)
async def test_its_first_byte_is_the_whole_answer(kind: Any, timeouts: Timeouts, code: str | None) -> None:
    async with FaultServer(SLOW) as server:
        (outcome,) = await ask(server.url, kind, stream=False, timeouts=timeouts)
    assert (outcome.code if isinstance(outcome, Failure) else None) == code


@pytest.mark.parametrize("cut", ['{"choices": [', '{"choices": [{"message": {"content": "Hel'])
async def test_half_of_a_whole_answer_is_none(cut: str) -> None:
    async with FaultServer(
        [Send(head(200, content_type="application/json") + cut.encode()), Cut()]
    ) as server:
        (outcome,) = await ask(server.url, stream=False)
    assert isinstance(outcome, Failure)
    assert outcome.code == "truncated"


@pytest.mark.parametrize("provider", ["openai", "autonomous"])
def test_the_mode_is_no_part_of_what_makes_a_result_stale(provider: str, cli: Cli) -> None:
    with in_thread(FaultServer(whole("Hello"))) as server:
        job = {"provider": provider, "base_url": server.url, "model": "llama", "prompt": "hi"}
        for mode, sent in (("whole", 1), ("stream", 1)):
            (cli.folder / "job.yaml").write_text(json.dumps(job | {"mode": mode}))
            assert cli("run", "job.yaml").code == 0
            assert len(server.requests) == sent


def test_a_model_s_own_mode_goes_first(tmp_path: Path) -> None:
    job = {"provider": "openai", "base_url": "http://localhost/v1", "prompt": "hi"}
    models = [{"model": "a"}, {"model": "b", "mode": "stream", "keep_alive": False}]
    loaded = load_mapping({**job, "mode": "whole", "models": models}, tmp_path)
    assert [(m.id, m.mode, m.keep_alive) for m in loaded.models] == [
        ("a", "whole", True),
        ("b", "stream", False),
    ]


# Connections


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
async def test_without_keep_alive_each_request_has_its_own(
    kind: Any, keep_alive: bool, connections: int
) -> None:
    async with FaultServer(GOOD) as server:
        outcomes = await ask(server.url, kind, 3, keep_alive=keep_alive)
    assert [text_of(outcome) for outcome in outcomes] == ["Hello"] * 3
    assert server.connections == connections
    closing = {received.headers.get("connection") for received in server.requests}
    assert closing == ({None} if keep_alive else {"close"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "stale",
    [status(400), [Send(b"HTTP/1.0 400 Bad Request\r\n\r\n"), Cut()]],
    ids=["with a length", "to the end of the connection"],
)
@pytest.mark.usefixtures("both_paths")
async def test_an_empty_400_on_an_old_connection_to_a_proxy_is_asked_again_on_a_fresh_one(
    kind: Any, stale: Script
) -> None:
    def play(received: Received) -> Script:
        return stale if received.number == 2 else GOOD

    async with FaultServer(play) as proxy:
        outcomes = await ask("http://endpoint.invalid", kind, 2, proxy=proxy.url)
    assert [text_of(outcome) for outcome in outcomes] == ["Hello"] * 2
    assert [received.connection for received in proxy.requests] == [1, 1, 2]
    assert [outcome.lost for outcome in outcomes] == [0, 0]


@pytest.mark.usefixtures("both_paths")
async def test_a_400_that_says_why_on_a_fresh_connection_or_without_a_proxy_is_an_answer() -> None:
    says_why = status(400, b'{"error": {"message": "no"}}')
    for scripts, through_proxy, requests in (
        ([GOOD, says_why], True, 2),
        ([GOOD, status(400)], False, 2),
        ([status(400)], True, 1),
        ([GOOD, status(422)], True, 2),
    ):
        async with FaultServer(*scripts) as server:
            options: dict[str, Any] = {"proxy": server.url} if through_proxy else {}
            url = "http://endpoint.invalid" if through_proxy else server.url
            outcome = (await ask(url, times=requests, **options))[-1]
        assert isinstance(outcome, Failure)
        assert len(server.requests) == requests


@pytest.mark.usefixtures("both_paths")
async def test_a_proxy_that_always_says_so_is_asked_no_third_time() -> None:
    async with FaultServer(GOOD, status(400)) as proxy:
        outcome = (await ask("http://endpoint.invalid", times=2, proxy=proxy.url))[-1]
    assert isinstance(outcome, Failure)
    assert (outcome.code, len(proxy.requests)) == ("bad_request", 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("death", [[Cut()], [Reset()]], ids=["closed", "reset"])
@pytest.mark.usefixtures("both_paths")
async def test_what_a_server_may_have_processed_counts(kind: Any, death: Script) -> None:
    """The request was sent on a pooled connection, which was lost without a response."""
    async with FaultServer(GOOD, death, GOOD) as server:
        outcomes = await ask(server.url, kind, 2)
    assert [text_of(outcome) for outcome in outcomes] == ["Hello"] * 2
    assert [outcome.lost for outcome in outcomes] == [0, 1]
    assert len(server.requests) == 3


@pytest.mark.usefixtures("both_paths")
async def test_a_connection_that_was_closed_before_counts_for_nothing() -> None:
    script: Script = [*GOOD, Cut()]
    async with FaultServer(script) as server, HttpClient(PATIENT) as client:
        provider = openai_endpoint(client, server.url, Credentials())
        first = await provider.complete(request())
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            while server.open_connections:  # noqa: ASYNC110 - the server has no event for it
                await anyio.sleep(0.01)
        second = await provider.complete(request())
    assert [first.lost, second.lost, len(server.requests)] == [0, 0, 2]


def test_it_is_an_attempt_of_the_result_and_what_it_took_is_unknown(cli: Cli) -> None:
    with in_thread(FaultServer(GOOD, [Cut()], GOOD)) as server:
        job = {
            "provider": "openai",
            "base_url": server.url,
            "model": {"model": "m", "price": {"input": 1, "output": 1}},
            "prompts": [{"id": "a", "prompt": "?"}, {"id": "b", "prompt": "!"}],
            "concurrency": 1,
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        ended = cli("run", "job.yaml", "--json")
    lines = [json.loads(line) for line in (cli.folder / "output/job.jsonl").read_text().splitlines()]
    assert {line["id"]: line["attempts"] for line in lines} == {"a": 1, "b": 2}
    assert ended.summary["attempts"] == len(server.requests) == 3


# stream_options


REFUSES = status(400, b'{"error": {"message": "unknown field stream_options"}}')


async def test_stream_options_are_given_up_where_that_helps() -> None:
    async with FaultServer(REFUSES, GOOD) as server:
        outcomes = await ask(server.url, times=2)
    assert [text_of(outcome) for outcome in outcomes] == ["Hello"] * 2
    assert ["stream_options" in received.json for received in server.requests] == [True, False, False]


async def test_and_kept_where_it_does_not() -> None:
    """A request may be refused for another reason, such as a prompt that the message quotes."""
    async with FaultServer(REFUSES, REFUSES, GOOD) as server:
        outcomes = await ask(server.url, times=2)
    assert [type(outcome) for outcome in outcomes] == [Failure, Reply]
    assert ["stream_options" in received.json for received in server.requests] == [True, False, True]


# Bodies


@pytest.mark.parametrize("key", ["model", "messages", "stream", "stream_options"])
def test_neither_parameters_nor_extra_body_replace_what_is_reserved(key: str) -> None:
    messages = ({"role": "user", "content": "?"},)
    plain = json.loads(openai.encode("m", messages, {}))
    for params in ({key: "x"}, {"extra_body": {key: "x"}}, {"extra_body": {key: None, "top_k": 5}}):
        body = json.loads(openai.encode("m", messages, params))
        assert body.pop("top_k", 5) == 5
        assert body == plain


# Answers that were cut


def test_json_that_was_cut_off_at_its_limit_is_length(cli: Cli) -> None:
    cut: Script = [Send(head() + chunk(delta('{"name": "Ad') + finish("length") + DONE) + LAST_CHUNK)]
    with in_thread(FaultServer(cut)) as server:
        job = {
            "provider": "openai",
            "base_url": server.url,
            "model": "m",
            "prompt": "?",
            "response_format": {"type": "json_object"},
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job))
        assert cli("run", "job.yaml").code == 1
    (line,) = [json.loads(line) for line in (cli.folder / "output/job.jsonl").read_text().splitlines()]
    assert (line["error"]["code"], line["partial_text"]) == ("length", '{"name": "Ad')
    assert len(server.requests) == 1


# A process that stood still


STOPPED = """
import anyio
from batch.providers.credentials import Credentials
from batch.providers.timeouts import Timeouts
from batch.providers.client import HttpClient
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.records import Reply, Request
from batch.wire.dialects import openai

async def main():
    outcomes = []

    async def ask():
        outcome = await provider.complete(request)
        outcomes.append(outcome.text if isinstance(outcome, Reply) else outcome.code)

    request = Request("a", "f", "m", "m", ({"role": "user", "content": "?"},))
    async with HttpClient(Timeouts(first_byte=1.5, idle=1.5)) as client:
        provider = DialectEndpoint(openai, client, "URL", Credentials())
        async with anyio.create_task_group() as tasks:
            for _ in range(STREAMS):
                tasks.start_soon(ask)
    print(*outcomes)

anyio.run(main, backend_options={"use_uvloop": UVLOOP})
"""
STREAMS = 12
"""Enough for streams to be paused between two reads, so that data is unread when the process continues."""
TRICKLE: Script = [
    Send(head()),
    *(action for _ in range(30) for action in (Send(chunk(delta("a"))), Pause(0.05))),
    Send(chunk(finish() + DONE) + LAST_CHUNK),
]
HANGING: Script = [*TRICKLE[:-1], Stall()]


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    ("script", "said"), [(TRICKLE, "a" * 30), (HANGING, "idle_timeout")], ids=["whole", "cut"]
)
async def test_what_came_while_the_process_was_stopped_is_read_before_its_deadlines_are_judged(
    uvloop: bool, script: Script, said: str
) -> None:
    async with FaultServer(script) as server:
        code = STOPPED.replace("URL", f"{server.url}/v1").replace("STREAMS", str(STREAMS))
        code = code.replace("UVLOOP", str(uvloop))
        process = await anyio.open_process([sys.executable, "-c", code], stdout=subprocess.PIPE)
        with anyio.fail_after(30):
            while len(server.requests) < STREAMS:  # noqa: ASYNC110 - the server has no event for it
                await anyio.sleep(0.02)
            await anyio.sleep(0.6)
            os.kill(process.pid, signal.SIGSTOP)
            await anyio.sleep(3)
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdout is not None
            printed = b"".join([part async for part in process.stdout])
            await process.wait()
    assert printed.decode().split() == [said] * STREAMS


def test_an_openai_batch_line_has_its_error_in_one_place() -> None:
    result = failed("a", "idle_timeout")
    assert result.error is not None
    unanswered = openai_batch.row(Answer(result))
    assert (unanswered["response"], unanswered["error"]["code"]) == (None, "idle_timeout")
    answered = openai_batch.row(Answer(replace(result, error=replace(result.error, http_status=422))))
    assert (answered["error"], answered["response"]["status_code"]) == (None, 422)
