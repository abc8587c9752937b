"""How a call of the library begins and ends: its options, its bar, a running loop, and an interrupt."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, redirect_stderr
from dataclasses import FrozenInstanceError, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

import batch
from batch.app.call_options import OptionKeywords
from batch.executors.child import Child
from batch.testing import FaultServer, Stall, answer, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from batch.testing import Received, Script
    from tests.conftest import Command

pytestmark = pytest.mark.anyio

ANSWERED = 3
"""Requests that a stalling server answers."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def job_for(server: FaultServer, requests: int = 10) -> dict[str, object]:
    """A job whose requests are sent one after the other."""
    prompts = [{"id": f"row-{number}", "prompt": f"word {number}"} for number in range(requests)]
    url = f"{server.url}/v1"
    return {
        "name": "words",
        "provider": "openai",
        "base_url": url,
        "model": "m",
        "concurrency": 1,
        "prompts": prompts,
    }


@asynccontextmanager
async def stalling() -> AsyncIterator[tuple[FaultServer, asyncio.Event]]:
    """A server that answers some requests and stalls the next one; the event is set then."""
    has_stalled = asyncio.Event()

    def script(request: Received) -> Script:
        if request.number <= ANSWERED:
            return answer("Hello")
        has_stalled.set()
        return [Stall()]

    async with FaultServer(script) as server:
        yield server, has_stalled


def ids(output: Path) -> list[str]:
    return [json.loads(line)["id"] for line in output.read_text(encoding="utf-8").splitlines()]


async def to_end(job: batch.Job, **options: Any) -> None:
    """``stream``, read to its end."""
    async for _ in batch.stream(job, **options):
        pass


IN_A_LOOP: list[Callable[..., Awaitable[object]]] = [batch.arun, to_end]


# A running loop


async def test_run_in_a_running_loop_names_arun(folder: Path) -> None:
    async with FaultServer(answer("Hello")) as server:
        with pytest.raises(RuntimeError) as raised:
            batch.run(job_for(server))
        assert str(raised.value) == (
            "`batch.run` cannot be called in a running event loop, such as that of a notebook; "
            "use `await batch.arun(...)` with the same arguments"
        )
        assert server.requests == []


async def test_run_in_another_thread_than_the_loop_works(folder: Path) -> None:
    async with FaultServer(answer("Hello")) as server:
        summary = await anyio.to_thread.run_sync(partial(batch.run, job_for(server)))
    assert summary.succeeded == 10


# Options


def test_options_cannot_be_changed() -> None:
    options = batch.Options(limit=3)
    with pytest.raises(FrozenInstanceError):
        options.limit = 4  # type: ignore[misc]


def test_each_option_can_be_a_keyword_of_the_call() -> None:
    assert [field.name for field in fields(batch.Options)] == list(OptionKeywords.__annotations__)


@pytest.mark.parametrize(
    ("options", "keywords", "sent"),
    [
        (None, {}, 10),
        (batch.Options(limit=3), {}, 3),
        (batch.Options(limit=3), {"limit": 2}, 2),
        (batch.Options(limit=3), {"limit": None}, 10),
        (batch.Options(limit=3), {"fail_fast": True}, 3),
        (None, {"limit": 2}, 2),
    ],
)
@pytest.mark.parametrize("call", ["arun", "stream", "run"])
async def test_a_keyword_replaces_the_option(
    folder: Path, call: str, options: batch.Options | None, keywords: dict[str, Any], sent: int
) -> None:
    async with FaultServer(answer("Hello")) as server:
        if call == "run":
            await anyio.to_thread.run_sync(partial(batch.run, job_for(server), options, **keywords))
        elif call == "arun":
            await batch.arun(job_for(server), options, **keywords)
        else:
            await to_end(job_for(server), options=options, **keywords)
    assert len(server.requests) == sent


@pytest.mark.parametrize("call", ["arun", "run"])
async def test_other_processes_can_send_the_requests(
    folder: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = [], Child.start

    def started_child() -> Child:
        started.append(start())
        return started[-1]

    monkeypatch.setattr(Child, "start", started_child)
    async with FaultServer(answer("Hello")) as server:
        job = job_for(server)
        if call == "run":
            summary = await anyio.to_thread.run_sync(partial(batch.run, job, processes=2))
        else:
            summary = await batch.arun(job, processes=2)
        assert summary.succeeded == len(server.requests) == 10
        assert len(started) == 2
        with pytest.raises(batch.UsageError, match=r"^processes: must be at least 1$"):
            await batch.arun(job, processes=0)
        monkeypatch.setattr(sys, "platform", "win32")
        with pytest.raises(batch.UsageError, match=r"^processes: more than one needs a POSIX system$"):
            await batch.arun(job, processes=2)
    assert len(server.requests) == 10


REFUSED_ON_RAY: dict[str, tuple[dict[str, Any], str]] = {
    "no number of workers": ({"executor": "ray"}, 'executor="ray" needs workers=N'),
    "no worker": ({"executor": "ray", "workers": 0}, "workers: must be at least 1"),
    "workers without an executor": ({"workers": 2}, 'workers needs executor="ray"'),
    "keys without an executor": ({"send_keys": True}, 'send_keys needs executor="ray"'),
    "processes, too": (
        {"executor": "ray", "workers": 2, "processes": 2},
        'processes cannot be combined with executor="ray"',
    ),
    "another executor": ({"executor": "dask", "workers": 2}, 'an unknown executor; write executor="ray"'),
}


@pytest.mark.parametrize("name", REFUSED_ON_RAY)
async def test_options_of_ray_that_do_not_fit_are_refused(folder: Path, name: str) -> None:
    keywords, message = REFUSED_ON_RAY[name]
    async with FaultServer(answer("Hello")) as server:
        with pytest.raises(batch.UsageError) as caught:
            await batch.arun(job_for(server), **keywords)
    assert str(caught.value) == message
    assert server.requests == []


async def test_ray_client_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    async with FaultServer(answer("Hello")) as server:
        with pytest.raises(batch.UsageError, match="does not work over ray://head:10001"):
            await batch.arun(job_for(server), executor="ray", workers=2)
    assert server.requests == []


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_an_unknown_keyword_is_an_error(folder: Path, call: Callable[..., Awaitable[object]]) -> None:
    async with FaultServer(answer("Hello")) as server:
        with pytest.raises(TypeError, match="unexpected keyword argument 'limits'"):
            await call(job_for(server), limits=3)
        assert server.requests == []


# The bar


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_progress_draws_a_bar_on_stderr(folder: Path, call: Callable[..., Awaitable[object]]) -> None:
    async with FaultServer(answer("Hello")) as server:
        with redirect_stderr(io.StringIO()) as stderr:
            await call(job_for(server), progress=True)
    first, *_, last = filter(str.strip, stderr.getvalue().split("\r"))
    assert first.startswith("  0%|")
    assert " 0/10 " in first
    assert last.startswith("100%|")
    assert " 10/10 " in last
    assert "failed 0" in last
    assert stderr.getvalue().endswith("\n")


def test_run_draws_it_too(folder: Path) -> None:
    job = {
        "provider": "autonomous",
        "base_url": "local",
        "engine": "extractive",
        "model": "summary",
        "name": "one",
        "prompt": "The Rhine ends in the sea.",
    }
    with redirect_stderr(io.StringIO()) as stderr:
        assert batch.run(job, batch.Options(progress=True)).succeeded == 1
    assert " 1/1 " in stderr.getvalue().split("\r")[-1]


async def test_the_bar_names_a_failure_above_itself(folder: Path) -> None:
    async with FaultServer(status(422, b"\x1b[31mno")) as server:
        with redirect_stderr(io.StringIO()) as stderr:
            await batch.arun(job_for(server, requests=1), progress=True)
    assert "row-0 failed: " in stderr.getvalue()
    assert "\x1b[31m" not in stderr.getvalue()


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_without_progress_nothing_is_written(
    folder: Path, call: Callable[..., Awaitable[object]]
) -> None:
    async with FaultServer(answer("Hello")) as server:
        with redirect_stderr(io.StringIO()) as stderr:
            await call(job_for(server))
    assert stderr.getvalue() == ""


async def test_a_process_without_stderr_has_no_bar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    async with FaultServer(answer("Hello")) as server:
        summary = await batch.arun(job_for(server), progress=True)
    assert summary.succeeded == 10


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_an_error_before_the_run_draws_no_bar(
    folder: Path, call: Callable[..., Awaitable[object]]
) -> None:
    with redirect_stderr(io.StringIO()) as stderr, pytest.raises(batch.JobFileError):
        await call("missing.yaml", progress=True)
    assert stderr.getvalue() == ""


# An interrupt


def check_left_summary(output: Path, runs: int = 1) -> None:
    """Each of these runs was cancelled after three results, and left a summary as a signal does."""
    summary = json.loads(output.with_name(f"{output.name}.summary.json").read_bytes())
    assert (summary["exit_code"], summary["succeeded"], summary["pending"]) == (130, 3 * runs, 10 - 3 * runs)
    assert (summary["sent"], summary["attempts"] > 3) == (3, True)
    assert summary["reasons"] == ["cancelled by the caller; run the job again to resume"]
    log = output.with_name(f"{output.name}.log").read_text(encoding="utf-8")
    assert log.count("cancelled by the caller") == runs
    assert "exit code 130 (SIGINT) after" in log


@pytest.mark.parametrize("progress", [False, True])
async def test_an_interrupt_ends_a_script_with_one_sentence_and_keeps_the_results(
    folder: Path, promptjobs: Command, *, progress: bool
) -> None:
    output = folder / "output" / "words.jsonl"
    async with stalling() as (server, has_stalled):
        job = job_for(server)
        code = f"import batch\nbatch.run({job!r}, progress={progress})"
        async with await anyio.open_process(
            [sys.executable, "-c", code], cwd=folder, env=promptjobs.environment
        ) as process:
            with anyio.fail_after(60):
                await has_stalled.wait()
                process.send_signal(signal.SIGINT)
                assert process.stdout is not None
                assert process.stderr is not None
                stdout = b"".join([piece async for piece in process.stdout])
                written = b"".join([piece async for piece in process.stderr]).decode()
                assert await process.wait() == -signal.SIGINT
    bar, traceback, message = written.partition("Traceback (most recent call last):\n")
    assert stdout == b""
    assert traceback
    assert (" 3/10 " in bar) == progress
    assert message.splitlines()[-1] == (
        f"KeyboardInterrupt: interrupted: 3 results were written to {output}; run the job again to resume"
    )
    assert message.count("  File ") == 2  # the caller's line, and that of `run`
    assert ids(output) == ["row-0", "row-1", "row-2"]
    check_left_summary(output)
    async with FaultServer(answer("Hello")) as again:
        summary = await batch.arun(job, overrides={"base_url": f"{again.url}/v1"})
    assert (summary.succeeded, summary.sent) == (10, 7)


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_a_cancelled_call_says_how_to_resume(
    folder: Path, call: Callable[..., Awaitable[object]]
) -> None:
    """That is how a notebook interrupts a cell. No frame of the engine is left in the traceback."""
    output = folder / "output" / "words.jsonl"
    async with stalling() as (server, has_stalled):
        task = asyncio.ensure_future(call(job_for(server)))
        await has_stalled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
    assert str(raised.value) == (
        f"interrupted: 3 results were written to {output}; run the job again to resume"
    )
    assert {Path(entry.path).name for entry in raised.traceback[1:]} <= {"api.py", "test_library_calls.py"}
    assert ids(output) == ["row-0", "row-1", "row-2"]
    check_left_summary(output)


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_a_call_that_is_cancelled_before_its_first_result_says_so(
    folder: Path, call: Callable[..., Awaitable[object]]
) -> None:
    reached = asyncio.Event()

    def script(_: Received) -> Script:
        reached.set()
        return [Stall()]

    async with FaultServer(script) as server:
        task = asyncio.ensure_future(call(job_for(server)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
    assert str(raised.value) == "interrupted before there was a new result; run the job again to resume"


@pytest.mark.parametrize("call", IN_A_LOOP)
async def test_time_limits_of_the_caller_still_recognize_their_cancellation(
    folder: Path, call: Callable[..., Awaitable[object]]
) -> None:
    async with stalling() as (server, has_stalled):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await _cancel_when(has_stalled, lambda: limit.reschedule(0), call(job_for(server)))
    check_left_summary(folder / "output" / "words.jsonl")
    async with stalling() as (server, has_stalled):
        with anyio.CancelScope() as scope:
            await _cancel_when(has_stalled, scope.cancel, call(job_for(server)))
        assert scope.cancelled_caught
    check_left_summary(folder / "output" / "words.jsonl", runs=2)


async def _cancel_when(event: asyncio.Event, cancel: Callable[[], object], call: Awaitable[object]) -> None:
    """Await the call, and cancel it once the event is set."""

    async def watch() -> None:
        await event.wait()
        cancel()

    watching = asyncio.create_task(watch())
    await call
    await watching


def test_a_script_loads_neither_ipython_nor_widgets(folder: Path, promptjobs: Command) -> None:
    """Where they are installed, they would take longer to load than a small job to run."""
    code = (
        "import sys, batch\n"
        "job = {'name': 'n', 'provider': 'autonomous', 'base_url': 'local', 'engine': 'extractive',\n"
        "       'model': 'summary', 'prompt': 'The Rhine ends in the sea.'}\n"
        "assert batch.run(job, progress=True).succeeded == 1\n"
        "print(sorted({'IPython', 'ipykernel', 'ipywidgets'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=promptjobs.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[]\n"
