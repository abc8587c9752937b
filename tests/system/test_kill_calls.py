"""A run that is killed at each of its disk operations, on a file that needs every kind of repair.

It is another job file that wrote the file, and some of its answers are to requests that have changed since.
"""

from __future__ import annotations

import json
import shutil
import signal
from itertools import count
from typing import TYPE_CHECKING

import pytest

from batch.codec import decode_result
from batch.results.summary_file import summary_path
from batch.results.superseded import superseded_path
from batch.testing import FaultServer, answer, status
from tests.support.job_files import write_job
from tests.support.kill_support import Life, owner, whole_lines, written_by_another

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Received, Script

pytestmark = pytest.mark.anyio

EARLIER = {f"row-{number}": f"number {number}" for number in range(6)}
ORPHAN = "row-0"
CHANGED = ["row-2", "row-4"]
ROWS = {
    f"row-{number}": f"{'changed' if number in (2, 4) else 'number'} {number}" for number in range(11, 0, -1)
}
NONSENSE = b"\0\0\0\0\n"
PARTIAL = b'{"schema_version":1,"id":"row-11","finger'


def busy_for_odd_numbers(received: Received) -> Script:
    """A transient failure for every second row."""
    prompt = received.messages[-1]["content"]
    return status(503) if int(prompt.split()[-1]) % 2 else answer(f"early: {prompt}")


def echo(received: Received) -> Script:
    return answer(f"late: {received.messages[-1]['content']}")


@pytest.fixture
async def damaged(tmp_path: Path) -> bytes:
    """The output of an earlier run of half the rows, with failures, and the damage of a crash."""
    retries = {"max_attempts": 1}
    async with FaultServer(busy_for_odd_numbers) as server:
        job = write_job(tmp_path, server.url, EARLIER, retries=retries, concurrency=1)
        async with Life(job) as life:
            assert await life.ended() == 1
    lines = (tmp_path / "output" / "job.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    return b"".join([*lines[:3], NONSENSE, *lines[3:], PARTIAL])


@pytest.mark.slow
@pytest.mark.parametrize(("order", "prune"), [("completion", False), ("input", True)])
async def test_a_kill_at_any_operation_loses_nothing(
    tmp_path: Path, damaged: bytes, order: str, prune: bool
) -> None:
    output = tmp_path / "output" / "job.jsonl"
    deaths = 0
    async with FaultServer(echo) as server:
        job = write_job(tmp_path, server.url, ROWS, concurrency=1, output={"order": order})
        for half_steps in count(2):
            shutil.rmtree(output.parent)
            output.parent.mkdir()
            output.write_bytes(damaged)
            other = written_by_another(job)
            server.requests.clear()
            async with Life(job, dies_at=half_steps / 2, prune=prune, adopt=True) as life:
                code = await life.ended()
                acknowledged = life.acknowledged()
            assert owner(job) in {str(job), None if server.requests else str(other)}, "before the first send"
            if code == 0:
                break
            assert code == -signal.SIGKILL
            deaths += 1
            check_what_is_left(output, damaged, acknowledged, orphan=not prune)
            async with Life(job, prune=prune, adopt=True) as life:
                assert await life.ended() == 0
            check_what_is_whole(output, order, prune=prune)
            assert owner(job) == str(job)
    check_what_is_whole(output, order, prune=prune)
    assert sorted(result.id for result in whole_lines(superseded_path(output))) == CHANGED
    print(f"{deaths} deaths")
    assert deaths > 2 * 20


def check_what_is_left(output: Path, damaged: bytes, acknowledged: list[str], *, orphan: bool) -> None:
    """What had been there and what was acknowledged since is in the file."""
    lines = output.read_bytes().split(b"\n")[:-1]
    results = {
        result.id: result for result in map(decode_result, [line for line in lines if line[:1] != b"\0"])
    }
    kept = {result.id: result.text for result in whole_lines(superseded_path(output))}
    for name in CHANGED:
        early = f"early: {EARLIER[name]}"
        assert kept.get(name) == early or any(early.encode() in line for line in lines), "an earlier answer"
    assert set(results) >= (set(EARLIER) if orphan else set(EARLIER) - {ORPHAN})
    assert all((results[name].text or "").startswith("late: ") for name in acknowledged)
    if summary_path(output).exists():
        assert json.loads(summary_path(output).read_bytes())["total"] == len(ROWS), "whole, or not there"
    if NONSENSE.rstrip() not in lines:
        assert NONSENSE in output.with_name("job.jsonl.corrupt").read_bytes()


def check_what_is_whole(output: Path, order: str, *, prune: bool) -> None:
    """One success for each row, in the requested order, and no leftover files."""
    results = whole_lines(output)
    names = [result.id for result in results]
    wanted = [*ROWS] if prune else [*ROWS, ORPHAN]
    assert names == wanted if order == "input" else sorted(names) == sorted(wanted)
    assert {result.status for result in results} == {"succeeded"}
    assert output.read_bytes().endswith(b"\n")
    assert json.loads(summary_path(output).read_bytes())["succeeded"] == len(ROWS)
    kept = sorted(result.id for result in whole_lines(superseded_path(output)))
    assert kept == CHANGED or (prune and kept == []), "each once, until a later run prunes them"
    assert not [path.name for path in output.parent.iterdir() if path.name.endswith(".tmp")]
