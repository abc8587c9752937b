"""Two runs on one output: one runs; the other reports the holder, ends at once and changes nothing.

Some here; for the full count: ``PROMPTJOBS_RACES=100 python -m pytest tests/system/test_lock_runs.py``.
"""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.chat_server import Withholding, serving
from tests.support.job_files import write_job
from tests.support.kill_support import whole_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Command

pytestmark = pytest.mark.anyio

RACES = int(os.environ.get("PROMPTJOBS_RACES", "4"))
ROWS = {f"row-{number}": f"number {number}" for number in range(10)}


@pytest.fixture
async def server() -> AsyncIterator[Withholding]:
    async with serving(Withholding()) as running:
        assert isinstance(running, Withholding)
        yield running


def everything_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files with their content and the time of their last change, but for what the first run reports."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "home" not in path.parts and ".progress.json" not in path.name
    }


def check_what_it_was_told(stderr: str, pid: int | str) -> None:
    """Return the holder of the lock: process, host, start."""
    assert re.fullmatch(
        rf"promptjobs: \S+/output/job\.jsonl is locked by another run \(process {pid} on "
        rf"{re.escape(socket.gethostname())}, since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\)\n",
        stderr,
    )


@pytest.mark.parametrize("race", range((RACES + 1) // 2))
async def test_the_second_run_touches_nothing(
    promptjobs: Command, tmp_path: Path, server: Withholding, race: int
) -> None:
    write_job(tmp_path, f"{server.url}/v1", ROWS)
    async with await anyio.open_process(
        promptjobs.arguments("run", "job.yaml", "-q"), cwd=tmp_path, env=promptjobs.environment
    ) as first:
        with anyio.fail_after(60):
            await server.asked.wait()
            before = everything_in(tmp_path)
            second = await promptjobs("run", "job.yaml", "-q")
            assert everything_in(tmp_path) == before
            assert (second.code, second.stdout) == (75, "")
            check_what_it_was_told(second.stderr, first.pid)
            server.may_answer.set()
            assert await first.wait() == 0
    assert sorted(result.id for result in whole_lines(tmp_path / "output" / "job.jsonl")) == sorted(ROWS)
    assert len(server.seen) == len(ROWS)


@pytest.mark.parametrize("race", range(RACES // 2))
async def test_of_two_runs_that_start_together_one_runs(
    promptjobs: Command, tmp_path: Path, server: Withholding, race: int
) -> None:
    write_job(tmp_path, f"{server.url}/v1", ROWS)
    ended: list[tuple[int, str]] = []

    async def run() -> None:
        process = await promptjobs("run", "job.yaml", "-q")
        ended.append((process.code, process.stderr))
        server.may_answer.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        tasks.start_soon(run)
    assert [code for code, _ in ended] == [75, 0]
    assert "is locked by another run" in ended[0][1]
    assert sorted(result.id for result in whole_lines(tmp_path / "output" / "job.jsonl")) == sorted(ROWS)
    assert len(server.seen) == len(ROWS)
