"""Signals while nothing is sent: the command reports the signal, loses nothing, and can be resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

import batch
from batch.app.run.plan import open_source
from batch.app.run.run_signals import Signals, ended_by_signals
from batch.app.setup.load_job import load_job
from batch.codec import encode_result
from batch.errors import StoppedError
from tests.docs.test_main_job import children_of
from tests.support.chat_server import ChatServer, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from anyio.abc import Process

    from batch.app.run.watchdog import Watchdog
    from tests.conftest import Command
    from tests.support.cli_support import Cli

pytestmark = pytest.mark.anyio

MANY = 60_000
"""Rows that take about a second to go through."""

SIGNALS = [signal.SIGINT, signal.SIGTERM]
UNSENT = "stopped before anything was sent; run the same command to resume"


@pytest.fixture
async def server() -> AsyncIterator[ChatServer]:
    async with serving(ChatServer()) as running:
        yield running


class Stopped:
    """A run that gets a signal once its log has told of an event."""

    def __init__(self, promptjobs: Command) -> None:
        self.output = promptjobs.folder / "output" / "job.jsonl"
        self._promptjobs = promptjobs
        self.stderr = ""
        self.children: list[int] = []
        self.end = ""

    async def __call__(
        self, number: signal.Signals, *flags: str, after: str, child: str | None = None
    ) -> int:
        """The exit code. The signal waits for a process of the run with ``child`` in its command line."""
        async with await anyio.open_process(
            self._promptjobs.arguments("run", "job.yaml", *flags),
            cwd=self._promptjobs.folder,
            env=self._promptjobs.environment,
        ) as process:
            with anyio.fail_after(60), killed_at_last(process):
                await until(lambda: f" {after} " in self.log)
                if child is not None:
                    await until(partial(self._has_children, process.pid, child))
                process.send_signal(number)
                code = await process.wait()
                assert process.stderr is not None
                self.stderr = b"".join([piece async for piece in process.stderr]).decode()
        self.end = self.log.splitlines()[-1].partition(" end ")[2].strip()
        return code

    def _has_children(self, pid: int, program: str) -> bool:
        with suppress(subprocess.CalledProcessError):  # pgrep finds none
            self.children = children_of(pid, program)
        return bool(self.children)

    @property
    def log(self) -> str:
        path = self.output.with_name("job.jsonl.log")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def beside(self) -> set[str]:
        """What is there besides the output and its log."""
        return {path.name for path in self.output.parent.iterdir()} - {"job.jsonl", "job.jsonl.log"}


def begin_with(promptjobs: Command, code: str) -> None:
    """Let every Python process of the command run this first."""
    (promptjobs.folder / "sitecustomize.py").write_text(code)
    promptjobs.environment["PYTHONPATH"] += f":{promptjobs.folder}"


@contextmanager
def killed_at_last(process: Process) -> Iterator[None]:
    """If a test fails, nothing waits for the process."""
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what a process does."""
    while not is_so():  # noqa: ASYNC110 - it tells us nothing
        await anyio.sleep(0.002)


@pytest.fixture
def stopped(promptjobs: Command) -> Stopped:
    return Stopped(promptjobs)


def many_rows() -> dict[str, str]:
    return {f"row-{number}": "?" for number in range(MANY)}


def put_results(job: Path, output: Path) -> None:
    """An output with an answer to everything, from the last to the first."""
    requests = open_source(load_job(job)).requests()
    lines = [encode_result(succeeded(each.id, fingerprint=each.fingerprint)) for each in requests]
    output.parent.mkdir()
    output.write_bytes(b"".join(reversed(lines)))


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_a_large_job_is_gone_through(
    stopped: Stopped, promptjobs: Command, server: ChatServer, number: signal.Signals
) -> None:
    write_job(promptjobs.folder, server.url, many_rows())
    assert await stopped(number, after="open") == 128 + number
    assert stopped.stderr == f"promptjobs: {number.name}: {UNSENT}\n"
    assert stopped.end == f"StoppedError: {number.name}: {UNSENT}"
    assert server.seen == []
    assert stopped.beside() == {"job.jsonl.lock"}


async def test_a_thread_that_never_ends_does_not_keep_a_stopped_command(
    stopped: Stopped, promptjobs: Command
) -> None:
    begin_with(promptjobs, "import threading\nthreading.Thread(target=threading.Event().wait).start()\n")
    write_job(promptjobs.folder, "http://127.0.0.1:9/v1", many_rows())
    assert await stopped(signal.SIGTERM, after="open") == 143
    assert stopped.stderr == f"promptjobs: SIGTERM: {UNSENT}\n"


def test_a_stopped_command_has_written_what_it_printed(promptjobs: Command) -> None:
    code = "from batch.cli import streams; print('an answer', end=''); streams.end_at_once(143)"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=promptjobs.environment, check=False, capture_output=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, b"an answer", b"")


async def test_while_a_long_output_is_opened(
    stopped: Stopped, promptjobs: Command, server: ChatServer
) -> None:
    job = write_job(promptjobs.folder, server.url, many_rows())
    put_results(job, stopped.output)
    write_job(promptjobs.folder, server.url, {"new": "?"})
    before = stopped.output.read_bytes()
    assert await stopped(signal.SIGTERM, after="open") == 143
    assert (stopped.stderr, stopped.end) == (
        f"promptjobs: SIGTERM: {UNSENT}\n",
        f"StoppedError: SIGTERM: {UNSENT}",
    )
    assert server.seen == []
    assert stopped.output.read_bytes() == before


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_the_output_is_put_in_order(
    stopped: Stopped, promptjobs: Command, number: signal.Signals
) -> None:
    job = write_job(promptjobs.folder, "http://127.0.0.1:9/v1", many_rows(), output={"order": "input"})
    put_results(job, stopped.output)
    before = stopped.output.read_bytes()
    assert await stopped(number, after="start") == 128 + number
    why = f"{number.name}: stopped while the output was being finished; it contains all answers"
    said = [
        line for line in stopped.stderr.splitlines() if "has no record of the job that wrote it" not in line
    ]
    assert said == [f"promptjobs: {why}; run the same command to resume"]
    assert stopped.end.startswith(f"exit code {128 + number} ({number.name}) after ")
    assert stopped.output.read_bytes() == before
    assert stopped.beside() - {"job.jsonl.job.json"} == {"job.jsonl.lock", "job.jsonl.summary.json"}
    summary = json.loads(stopped.output.with_name("job.jsonl.summary.json").read_text())
    assert (summary["exit_code"], summary["succeeded"], summary["pending"]) == (128 + number, MANY, 0)
    assert summary["reasons"] == [f"{why}; run the same command to resume"]
    assert (await promptjobs("run", "job.yaml")).code == 0
    assert [result.id for result in whole_lines(stopped.output)] == list(many_rows())


async def test_while_what_was_not_sent_is_counted(stopped: Stopped, promptjobs: Command) -> None:
    inputs = {"jsonl": "rows.jsonl", "on_bad_row": "skip"}
    job = write_job(promptjobs.folder, "http://127.0.0.1:9/v1", many_rows(), inputs=inputs)
    put_results(job, stopped.output)
    write_job(
        promptjobs.folder, "http://127.0.0.1:9/v1", many_rows(), inputs=inputs, prompt="Now: {{ prompt }}"
    )
    assert await stopped(signal.SIGTERM, "--limit", "0", after="start") == 143
    summary = json.loads(stopped.output.with_name("job.jsonl.summary.json").read_text())
    assert 0 < summary["total"] < MANY
    assert summary["orphans"] == 0, "what was not counted is not known to be left over"


@pytest.mark.parametrize("child", ["", "batch.local_model"], ids=["before it runs", "as it runs"])
@pytest.mark.parametrize("number", SIGNALS)
async def test_while_the_embedded_endpoint_is_started(
    stopped: Stopped, promptjobs: Command, number: signal.Signals, child: str
) -> None:
    """Before it runs, there is only the process that counts signals."""
    write_job(promptjobs.folder, "local", {"one": "?"}, engine="extractive")
    begin_with(
        promptjobs, "import sys, time\nif 'batch.local_model' in ' '.join(sys.orig_argv): time.sleep(60)\n"
    )
    assert await stopped(number, after="start", child=child) == 128 + number
    assert stopped.stderr == f"promptjobs: {number.name}: {UNSENT}\n"
    assert f"({number.name})" in stopped.end
    for pid in stopped.children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_while_the_inputs_of_several_jobs_are_checked(
    promptjobs: Command, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_job(cli.folder, "http://127.0.0.1:9/v1", {"one": "?"}).rename(cli.folder / "first.yaml")
    write_job(cli.folder, "http://127.0.0.1:9/v1", {"one": "?"})
    monkeypatch.setattr(
        "batch.app.run.several_jobs.check_inputs", lambda _: signal.raise_signal(signal.SIGTERM)
    )
    before = signal.getsignal(signal.SIGTERM)
    ended = cli("run", "first.yaml", "job.yaml")
    assert (ended.code, ended.stdout) == (143, "")
    assert ended.stderr == "promptjobs: SIGTERM: stopped; run the same command to resume\n"
    assert signal.getsignal(signal.SIGTERM) is before


async def told(*numbers: signal.Signals) -> None:
    """Get signals, whatever has been cancelled by the first: as a thread that waits for a disk."""
    with anyio.CancelScope(shield=True):
        for number in numbers:
            signal.raise_signal(number)
            await anyio.sleep(0.01)


async def test_a_second_signal_ends_the_process_whatever_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []
    said: list[str] = []
    monkeypatch.setattr("os._exit", codes.append)
    signals = Signals(said.append)
    with pytest.raises(StoppedError), signals.handle_signals(), signals.stoppable("before anything"):
        await told(signal.SIGTERM, signal.SIGINT)
    assert codes == [130]
    assert said == ["SIGINT: stopped at once; run the same command to resume"]


async def test_a_signal_between_two_stages_stops_the_next_one() -> None:
    went_on = False

    async def stages(signals: Signals) -> None:
        nonlocal went_on
        await told(signal.SIGTERM)
        with signals.stoppable("before that"):
            await anyio.lowlevel.checkpoint()
            went_on = True

    signals = Signals(pytest.fail)
    with pytest.raises(StoppedError, match="SIGTERM: stopped before that"), signals.handle_signals():
        await stages(signals)
    assert not went_on


async def test_a_signal_that_comes_too_late_for_a_run_ends_the_command() -> None:
    with pytest.raises(StoppedError) as caught, ended_by_signals(), Signals(pytest.fail).handle_signals():
        await told(signal.SIGTERM)
    assert caught.value.exit_code == 143


def kill_the_counting_process() -> None:
    (pid,) = children_of(os.getpid(), "MSG_PEEK")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("before", [lambda: None, kill_the_counting_process], ids=["alive", "dead"])
async def test_a_signal_stops_a_run_whether_the_process_that_counts_is_alive_or_dead(
    before: Callable[[], None],
) -> None:
    async def run(watchdog: Watchdog) -> None:
        before()
        signals = Signals(pytest.fail, watchdog)
        with signals.handle_signals(), signals.stoppable("before that"):
            await told(signal.SIGTERM)

    with pytest.raises(StoppedError, match="SIGTERM: stopped before that"), ended_by_signals() as watchdog:
        await run(watchdog)


async def test_the_library_leaves_signals_to_the_program(
    tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    job = write_job(tmp_path, f"{server.url}/v1", {"one": "?"})
    before = [signal.getsignal(number) for number in SIGNALS]
    during = []
    await batch.arun(job, on_result=lambda _: during.append([signal.getsignal(number) for number in SIGNALS]))
    assert during == [before]
