"""Runs killed at random moments: acknowledged results are never lost or duplicated; the next run completes.

Every second run takes over the output of another job file, in which a third of the answers are to requests
that have changed since: these answers are kept, each once.

Some here; for the full count: ``PROMPTJOBS_KILLS=1000 python -m pytest -s tests/system/test_kill_runs.py``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import pytest

from batch.codec import encode_result
from batch.results.superseded import superseded_path
from batch.testing import FaultServer, Pause, answer
from tests.support.job_files import write_job
from tests.support.kill_support import Life, owner, whole_lines, written_by_another
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch.testing import Received, Script

pytestmark = pytest.mark.anyio

KILLS = int(os.environ.get("PROMPTJOBS_KILLS", "12"))
REQUESTS = 500
ROWS = {f"row-{number}": f"number {number}" for number in range(REQUESTS)}
SOON = 0.06
"""Seconds: a little longer than results wait for company, so that a kill can hit any part of an append."""

EARLY = {name: f"early: {prompt}" for name, prompt in list(ROWS.items())[::3]}
"""Answers that another job file has left, by id."""

Durability: TypeAlias = Literal["fsync", "flush"]
DURABILITIES: tuple[Durability, ...] = ("fsync", "fsync", "flush")
"""Either survives the death of the process."""


class Moment(NamedTuple):
    """When to kill: some seconds after the server has received a number of requests."""

    requests: int
    delay: float


def some_moment(random: Random, *, is_second_night: bool) -> Moment:
    """Nine in ten within the appends of a run, the others anywhere in it.

    Of the second nights every third is hit about when superseded answers move.
    """
    if is_second_night and random.random() < 1 / 3:
        return Moment(REQUESTS, random.uniform(SOON, 3 * SOON))
    if random.random() < 0.9:
        return Moment(random.randrange(60, REQUESTS - 50), random.uniform(0, SOON))
    return Moment(random.randrange(1, REQUESTS + 1), random.uniform(0, 4 * SOON))


class Echo:
    """Answers each request after 10 ms, and triggers at a counted moment.

    The answer is the prompt and, where ``length`` is large, something for long writes.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.length = 0
        self._moment: Moment | None = None
        self._trigger: Callable[[], None] | None = None

    def text(self, prompt: str) -> str:
        return f"echo: {prompt}".ljust(self.length, "…")

    def arm(self, moment: Moment, trigger: Callable[[], None]) -> None:
        self.seen, self._moment, self._trigger = 0, moment, trigger

    def disarm(self) -> None:
        self.seen, self._moment, self._trigger = 0, None, None

    def __call__(self, received: Received) -> Script:
        self.seen += 1
        if self._moment and self._trigger and self.seen == self._moment.requests:
            asyncio.get_running_loop().call_later(self._moment.delay, self._trigger)
        return [Pause(0.01), *answer(self.text(received.messages[-1]["content"]))]


class RunStatistics:
    """The results of the kills."""

    def __init__(self) -> None:
        self.kills = self.within = self.acknowledged = self.unacknowledged = self.partial = self.too_late = 0
        self.second_nights = self.moving = self.moved = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} runs killed, {self.within} of them between the first and the last append; "
            f"{self.acknowledged} acknowledged results, all there; {self.unacknowledged} there that were not "
            f"acknowledged yet; {self.partial} partial lines; {self.too_late} runs ended before their kill; "
            f"{self.second_nights} took over the output of another job, of which {self.moving} died with "
            f"superseded answers in both files and {self.moved} with them in the second"
        )


async def kill_and_complete(
    job: Path,
    echo: Echo,
    moment: Moment,
    durability: Durability,
    statistics: RunStatistics,
    *,
    is_second_night: bool,
) -> None:
    """One run that is killed, and one that completes what that left."""
    output = job.parent / "output" / "job.jsonl"
    shutil.rmtree(output.parent, ignore_errors=True)
    early = EARLY if is_second_night else {}
    if is_second_night:
        output.parent.mkdir()
        output.write_bytes(b"".join(earlier(name, text) for name, text in EARLY.items()))
        written_by_another(job)
    async with Life(job, durability=durability, adopt=is_second_night) as life:
        echo.arm(moment, life.kill)
        code = await life.ended()
        acknowledged = life.acknowledged()
    if code == 0:
        statistics.too_late += 1
        return
    assert code == -signal.SIGKILL
    lines = [(result.id, result.text) for result in whole_lines(output)]
    kept = [name for name, text in lines if text != early.get(name)]
    moved = whole_lines(superseded_path(output))
    assert len(set(lines)) == len(lines)
    assert len(set(kept)) == len(kept)
    assert set(acknowledged) <= set(kept)
    assert {*lines, *((result.id, result.text) for result in moved)} >= {*early.items()}
    assert owner(job) == str(job), "recorded before anything was sent"
    statistics.kills += 1
    statistics.within += 0 < len(kept) < REQUESTS
    statistics.acknowledged += len(acknowledged)
    statistics.unacknowledged += len(kept) - len(acknowledged)
    statistics.partial += output.exists() and not output.read_bytes().endswith(b"\n")
    statistics.second_nights += is_second_night
    statistics.moving += len(moved) > 0 and {*early.items()} <= {*lines}
    statistics.moved += len(moved) > 0 and not {*early.items()} <= {*lines}

    echo.disarm()
    async with Life(job) as life:
        assert await life.ended() == 0
        assert sorted(life.acknowledged()) == sorted(set(ROWS) - set(kept))
    assert echo.seen == REQUESTS - len(kept), "what was on disk is not sent again"
    results = whole_lines(output)
    assert sorted(result.id for result in results) == sorted(ROWS)
    assert all(result.text == echo.text(ROWS[result.id]) for result in results)
    moved = whole_lines(superseded_path(output))
    assert [(result.id, result.text) for result in moved] == [*early.items()], "each earlier answer once"


def earlier(name: str, text: str) -> bytes:
    """The line of an answer to what the request asked before."""
    return encode_result(succeeded(name, text, fingerprint="e" * 32))


@pytest.mark.slow
async def test_runs_killed_at_random_moments(tmp_path: Path) -> None:
    echo, statistics, random = Echo(), RunStatistics(), Random(20261122)
    async with FaultServer(echo) as server:
        job = write_job(tmp_path, server.url, ROWS)
        while statistics.kills < KILLS:
            echo.length = random.choice([0, 0, 0, 20_000])
            durability = random.choice(DURABILITIES)
            is_second_night = statistics.kills % 2 == 1
            moment = some_moment(random, is_second_night=is_second_night)
            await kill_and_complete(
                job, echo, moment, durability, statistics, is_second_night=is_second_night
            )
            server.requests.clear()
    print(statistics)
    assert statistics.acknowledged > 0
    assert statistics.within >= 0.6 * statistics.kills
    assert statistics.second_nights >= 0.4 * statistics.kills
