"""``promptjobs run --processes N``: the same run, with attempts executed by other processes."""

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

from batch.errors import WorkerError
from batch.executors import child, local_workers
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Reply, Request, Verdict
from batch.testing import FaultServer, Pause, Send, Stall, answer, delta, head, whole
from batch.testing.replies import DONE, LAST_CHUNK, chunk, event, finish
from tests.support.cli_support import on_terminal
from tests.support.job_files import write_job
from tests.support.worker_support import command_of, workers_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import Process

    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="it finds the workers in /proc"),
]

KEY = "sk-a-very-secret-key-0123456789"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC"


def rows(number: int) -> dict[str, str]:
    """So many rows: their ids, and their prompts."""
    return {f"r{n}": f"number {n}" for n in range(number)}


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    """The lines of the output by id."""
    text = (folder / "output" / "job.jsonl").read_text()
    return {line["id"]: line for line in map(json.loads, text.splitlines())}


def echo(received: Received) -> Script:
    return answer(f"echo: {received.messages[-1]['content']}")


JOBS: dict[str, tuple[dict[str, Any], Callable[[Received], Script]]] = {
    "streams": ({}, echo),
    "whole answers": ({"mode": "whole"}, lambda received: whole(received.messages[-1]["content"])),
    "another dialect": ({"provider": "autonomous", "model": "summary"}, echo),
    "parameters": ({"params": {"temperature": 0.25, "seed": 2**70, "stop": ["\u2028"]}}, echo),
    "an image": ({"images": [PIXEL]}, lambda _: answer("an image")),
    "words of its own": (
        {"finish_reasons": {"complete": ["fertig"]}},
        lambda _: answer("text", reason="fertig"),
    ),
    "headers": ({"headers": {"X-Team": "blue"}}, echo),
}


@pytest.mark.parametrize("name", JOBS)
async def test_a_server_gets_and_gives_the_same(promptjobs: Command, name: str) -> None:
    job, chooser = JOBS[name]
    seen = []
    async with FaultServer(chooser) as server:
        write_job(promptjobs.folder, server.url, rows(6), **job)
        for processes in ("1", "2"):
            server.requests.clear()
            ended = await promptjobs("run", "job.yaml", "--processes", processes, "-q", "--force", "--json")
            assert ended.code == 0, ended.stderr
            assert ended.summary["wasted"] == 0
            sent = sorted(
                (each.target, str(each.messages), _params(each), _headers(each)) for each in server.requests
            )
            seen.append((sent, {key: _stable(line) for key, line in lines(promptjobs.folder).items()}))
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 6


def _params(received: Received) -> str:
    body = received.json
    return json.dumps({key: body[key] for key in sorted(body) if key not in ("messages", "threadId")})


def _headers(received: Received) -> str:
    return json.dumps({name: received.headers[name] for name in sorted(received.headers)})


def _stable(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("timings", "completed_at")}


async def test_the_embedded_endpoint_stays_with_the_driver(promptjobs: Command) -> None:
    write_job(promptjobs.folder, "local", rows(4), model="summary", provider="openai", engine="extractive")
    ended = await promptjobs("run", "job.yaml", "--processes", "2", "-q", "--json")
    assert (ended.code, ended.summary["succeeded"]) == (0, 4), ended.stderr


async def test_the_bar_is_that_of_one_process(promptjobs: Command) -> None:
    async with FaultServer(lambda received: [Pause(0.3), *echo(received)]) as server:
        write_job(promptjobs.folder, server.url, rows(8), concurrency=2, adaptive=False)
        ended = await on_terminal(promptjobs, "run", "job.yaml", "--processes", "2", env={})
    frames = [frame for frame in ended.stderr.split("\r") if "req/s" in frame]
    assert {len(frame) for frame in frames} == {199}
    assert any("/8  failed 0  ETA " in frame and "in flight    2/2 " in frame for frame in frames)
    assert frames[-1].startswith(f"100%|{'█' * 30}| 8/8  failed 0  ETA  0:00:00 ")
    assert "job: 8 succeeded of 8; 8 sent in " in ended.stderr.replace(frames[-1], "")


class Held:
    """Answers at once, except that the first requests of a prompt wait until their client goes away."""

    def __init__(self, prompt: str, times: int = 1, then: Callable[[Received], Script] = echo) -> None:
        self.arrived = anyio.Event()
        self._prompt = prompt
        self._times = times
        self._then = then

    def __call__(self, received: Received) -> Script:
        if received.messages[-1]["content"] == self._prompt and self._times:
            self._times -= 1
            self.arrived.set()
            return [Stall()]
        return self._then(received)


async def started(promptjobs: Command, *arguments: str, **options: Any) -> Process:
    folder = promptjobs.folder
    with (folder / "stderr").open("wb") as stderr, (folder / "stdout").open("wb") as stdout:
        return await anyio.open_process(
            promptjobs.arguments("run", "job.yaml", *arguments),
            cwd=folder,
            env={**promptjobs.environment, "KEY": KEY},
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            stdout=stdout,
            **options,
        )


async def test_what_was_in_flight_in_a_killed_worker_is_sent_again(promptjobs: Command) -> None:
    held = Held("number 3")
    async with FaultServer(held) as server:
        write_job(promptjobs.folder, server.url, rows(8))
        with anyio.fail_after(60):
            driver = await started(promptjobs, "--processes", "2", "--json")
            await held.arrived.wait()
            for worker in workers_of(driver.pid):
                os.kill(worker, signal.SIGKILL)
            assert await driver.wait() == 0, (promptjobs.folder / "stderr").read_text()
    summary = json.loads((promptjobs.folder / "stdout").read_text())
    found = lines(promptjobs.folder)
    assert summary["succeeded"] == 8
    assert found["r3"]["attempts"] in {2, 3}  # it may be sent to the other worker before that is killed, too
    assert {line["text"] for line in found.values()} == {f"echo: number {n}" for n in range(8)}
    assert summary["wasted"] == sum(line["attempts"] - 1 for line in found.values())
    ending = (promptjobs.folder / "stderr").read_text()
    assert "lost with" in ending
    assert "worker_lost" in (promptjobs.folder / "output" / "job.jsonl.log").read_text()


def metered(received: Received) -> Script:
    """An answer that costs 7: three tokens of the prompt at 1, and two of its own at 2."""
    usage = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    text = f"echo: {received.messages[-1]['content']}"
    return [Send(head() + chunk(delta(text) + finish("stop") + usage + DONE) + LAST_CHUNK)]


async def test_a_budget_counts_what_was_lost_with_a_worker_as_spent(promptjobs: Command) -> None:
    """A request costs at most 24, which the server counts for those that it could not answer."""
    held = Held("number 0", then=metered)
    async with FaultServer(held) as server:
        model = {"model": "m", "price": {"input": 1_000_000, "output": 2_000_000}}
        write_job(promptjobs.folder, server.url, rows(10), model=model, params={"max_tokens": 10})
        with anyio.fail_after(60):
            driver = await started(promptjobs, "--processes", "2", "--json", "--max-cost", "80")
            await held.arrived.wait()
            for worker in workers_of(driver.pid):
                os.kill(worker, signal.SIGKILL)
            assert await driver.wait() == 8, (promptjobs.folder / "stderr").read_text()
    summary = json.loads((promptjobs.folder / "stdout").read_text())
    lost = len(server.requests) - summary["succeeded"]
    assert 1 <= lost <= summary["unmetered"]
    assert 7 * summary["succeeded"] + 24 * lost <= 80
    assert " of that assumed, for attempts without usage) of 80 spent" in summary["reasons"][0]


async def test_no_key_is_in_an_argument_list(promptjobs: Command) -> None:
    held = Held("number 0")
    async with FaultServer(held) as server:
        write_job(promptjobs.folder, server.url, rows(1), api_key_env="KEY")
        with anyio.fail_after(60):
            driver = await started(promptjobs, "--processes", "2")
            await held.arrived.wait()
            commands = [command_of(pid) for pid in workers_of(driver.pid)]
            driver.kill()
            await driver.wait()
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert len(commands) == 2
    assert all(b"secret" not in command for command in commands)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_to_the_whole_group_lets_requests_in_flight_finish(
    promptjobs: Command, number: signal.Signals
) -> None:
    arrived = anyio.Event()

    def slowly(received: Received) -> Script:
        if len(server.requests) == 5:
            arrived.set()
        return [Pause(0.5), *echo(received)]

    async with FaultServer(slowly) as server:
        write_job(promptjobs.folder, server.url, rows(40), concurrency=4, adaptive=False)
        with anyio.fail_after(60):
            driver = await started(promptjobs, "--processes", "2", "-q", start_new_session=True)
            await arrived.wait()
            os.killpg(driver.pid, number)
            assert await driver.wait() == 128 + number
        assert len(lines(promptjobs.folder)) == len(server.requests), "each that was sent was also finished"
    assert workers_of(driver.pid) == []


SPEC = EndpointSpec("openai", "http://127.0.0.1:9/v1", ClientSpec(Timeouts()), models=("m",))
REQUEST = Request("a", "f", "m", "m", ({"role": "user", "content": "?"},))


async def test_workers_that_cannot_start_are_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.exit('a library is missing')"]

    monkeypatch.setattr(child, "_command", broken)
    with pytest.raises(ExceptionGroup) as raised:
        async with local_workers.opened(2) as opened:
            await opened.start([SPEC])
    error = raised.value.exceptions[0]
    assert isinstance(error, WorkerError)
    assert error.exit_code == 70
    assert "5 worker processes ended one after the other" in str(error)
    assert "exit code 1: a library is missing" in str(error)


async def test_a_failure_to_read_a_request_costs_this_request_alone() -> None:
    async with FaultServer(echo) as server, local_workers.opened(1) as opened:
        here = replace(SPEC, base_url=server.url)
        good, bad = await opened.start([here, replace(here, dialect="autonomous", models=())])
        failure = await bad.complete(REQUEST)
        assert isinstance(failure, Failure)
        assert failure.code == "internal_error", "AutonomousAI has no model `m`"
        reply = await good.complete(REQUEST)
        assert isinstance(reply, Reply)
        assert (reply.text, reply.verdict) == ("echo: ?", Verdict.COMPLETE)


async def test_a_cancelled_attempt_ends_in_the_worker() -> None:
    held = Held("?")
    async with FaultServer(held) as server, local_workers.opened(1) as opened:
        (endpoint,) = await opened.start([replace(SPEC, base_url=server.url)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(endpoint.complete, REQUEST)
            await held.arrived.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(10):
            while server.open_connections:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        reply = await endpoint.complete(REQUEST)
        assert isinstance(reply, Reply)
        assert reply.text == "echo: ?"
