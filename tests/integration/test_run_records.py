"""What a run records beside its output while it goes on and at its end, and that this never disturbs it."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from batch.results.lock import holder
from batch.results.progress_file import active_progress, progress_path
from batch.results.run_history import history_path, read_history
from batch.results.summary_file import read_summary
from tests.support.chat_server import Withholding, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from anyio.abc import Process

    from tests.conftest import Command
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

ROWS = {f"row-{number}": f"number {number}" for number in range(5)}


@pytest.fixture
def output(cli: Cli, server: ChatServer) -> Path:
    """The output of ``job.yaml``, which has not run yet."""
    write_job(cli.folder, f"{server.url}/v1", ROWS)
    return cli.folder / "output" / "job.jsonl"


# The history


def test_a_run_leaves_its_summary_options_and_timeline(cli: Cli, output: Path) -> None:
    assert cli("run", "job.yaml", "-q", "--only", "row-*", "--max-duration", "1h").code == 0
    (run,) = read_history(output)
    assert run.summary == read_summary(output)
    assert (run.options.only, run.options.max_duration, run.options.limit) == (["row-*"], 3600.0, None)
    assert run.options.states == ["changed", "failed", "new"]
    timeline = run.timeline
    assert (sum(timeline.succeeded), sum(timeline.attempts), timeline.failed) == (5, 5, {})
    assert sum(timeline.prompt_tokens) == run.summary.prompt_tokens
    assert list(timeline.endpoints) == run.options.models
    assert {len(timeline.succeeded), len(timeline.limit), len(timeline.latency.p50)} == {timeline.bins}


def test_each_run_that_sends_something_adds_a_line_and_others_do_not(
    cli: Cli, server: ChatServer, output: Path
) -> None:
    assert cli("run", "job.yaml", "-q", "--limit", "0").code == 8
    assert not history_path(output).exists()
    assert cli("run", "job.yaml", "-q", "--limit", "2").code == 8
    assert cli("run", "job.yaml", "-q").code == 0
    before = history_path(output).read_bytes()
    assert cli("run", "job.yaml", "-q").code == 0
    assert history_path(output).read_bytes() == before
    assert [run.summary.sent for run in read_history(output)] == [2, 3]
    server.refused = "no"
    assert cli("run", "job.yaml", "-q", "--force").code == 7
    last = read_history(output)[-1]
    assert last.summary.exit_code == 7
    failed = last.timeline.failed_attempts
    assert {code: sum(numbers) for code, numbers in failed.items()} == {"bad_request": last.summary.attempts}


def folder_in_its_place(path: Path) -> None:
    path.mkdir()


def another_file(path: Path) -> None:
    path.write_text("my notes\n")


def damaged(path: Path) -> None:
    path.write_bytes(b'{"schema_version":1,"summary":{"na\0\0\0\n\xff\xff{{{\n{"sche')


def link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("spoil", [folder_in_its_place, another_file, damaged, link])
@pytest.mark.parametrize("of", [history_path, progress_path])
def test_a_file_that_cannot_be_written_changes_neither_results_nor_exit_code(
    cli: Cli, output: Path, spoil: Callable[[Path], None], of: Callable[[Path], Path]
) -> None:
    output.parent.mkdir()
    spoil(of(output))
    ended = cli("run", "job.yaml", "-q")
    assert (ended.code, ended.stderr) == (0, "")
    assert sorted(result.id for result in whole_lines(output)) == sorted(ROWS)
    summary = read_summary(output)
    assert summary is not None
    assert (summary.exit_code, summary.succeeded) == (0, 5)


def test_an_unwritable_history_is_reported_in_the_log(cli: Cli, output: Path) -> None:
    output.parent.mkdir()
    another_file(history_path(output))
    cli("run", "job.yaml", "-q")
    log = output.with_name("job.jsonl.log").read_text()
    assert f"the run is not in {history_path(output)}: ForeignOutputError: " in log
    assert history_path(output).read_text() == "my notes\n"


def test_the_name_of_a_history_is_no_output(cli: Cli, output: Path) -> None:
    ended = cli("run", "job.yaml", "-o", "other.jsonl.runs.jsonl")
    assert ended.code == 2
    assert "this name is reserved for the history of another output" in ended.stderr


# The progress


@pytest.fixture
async def withholding() -> AsyncIterator[Withholding]:
    async with serving(Withholding(answers=2)) as running:
        assert isinstance(running, Withholding)
        yield running


@asynccontextmanager
async def started(promptjobs: Command, server: Withholding) -> AsyncIterator[Process]:
    """A run that has two answers and waits for the others, and has reported so."""
    write_job(promptjobs.folder, f"{server.url}/v1", ROWS)
    output = promptjobs.folder / "output" / "job.jsonl"
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml", "-q"), cwd=promptjobs.folder, env=promptjobs.environment
    ) as run:
        with anyio.fail_after(60):
            await server.asked.wait()
            while _done(output) < 2:  # noqa: ASYNC110 - the other process has no event for it
                await anyio.sleep(0.05)
        try:
            yield run
        finally:
            server.may_answer.set()


def _done(output: Path) -> int:
    found = active_progress(output, holder(output))
    return 0 if found is None else found.done


@pytest.mark.anyio
async def test_a_run_reports_its_progress_and_removes_it_at_its_end(
    promptjobs: Command, withholding: Withholding
) -> None:
    output = promptjobs.folder / "output" / "job.jsonl"
    async with started(promptjobs, withholding) as run:
        found = active_progress(output, holder(output))
        assert found is not None
        assert (found.pid, found.host) == (run.pid, socket.gethostname())
        assert (found.total, found.done, found.succeeded, found.failed) == (5, 2, 2, {})
        assert (found.in_flight, found.attempts, found.retries) == (3, 5, 0)
        assert [(each.in_flight, each.parked) for each in found.endpoints] == [(3, None)]
        assert found.seconds_left is not None

        text = (await promptjobs("status", "job.yaml")).stdout
        assert f"running    yes, process {run.pid} on " in text
        assert "\n           in flight 3 of " in text
        as_json: dict[str, Any] = json.loads((await promptjobs("status", "job.yaml", "--json")).stdout)
        assert as_json["progress"]["attempts"] == 5

        withholding.may_answer.set()
        assert await run.wait() == 0
    assert not progress_path(output).exists()
    assert len(read_history(output)) == 1


@pytest.mark.anyio
async def test_the_progress_of_a_killed_run_is_not_taken_for_that_of_an_active_one(
    promptjobs: Command, withholding: Withholding
) -> None:
    output = promptjobs.folder / "output" / "job.jsonl"
    async with started(promptjobs, withholding) as run:
        run.send_signal(signal.SIGKILL)
        await run.wait()
    assert progress_path(output).exists()
    assert active_progress(output, holder(output)) is None
    text = (await promptjobs("status", "job.yaml")).stdout
    assert "running    no\n" in text
    withholding.may_answer.set()
    assert (await promptjobs("run", "job.yaml", "-q")).code == 0
    assert not progress_path(output).exists()


@pytest.mark.anyio
async def test_a_second_signal_leaves_no_progress(promptjobs: Command, withholding: Withholding) -> None:
    output = promptjobs.folder / "output" / "job.jsonl"
    async with started(promptjobs, withholding) as run:
        assert progress_path(output).exists()
        for number in (signal.SIGTERM, signal.SIGTERM):
            os.kill(run.pid, number)
            await anyio.sleep(0.3)
        assert await run.wait() == 143
    assert not progress_path(output).exists()
    assert [each.summary.exit_code for each in read_history(output)] == [143]
