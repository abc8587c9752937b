"""Workers and drivers that are killed and frozen at random: each request ends in one line, within all limits.

The server's own log is the judge. For more cuts:
``PROMPTJOBS_CUTS=200 python -m pytest -s tests/system/test_worker_cuts.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.counting_server import CountingServer, exceeds, most_at_once
from tests.support.job_files import write_job
from tests.support.kill_support import check_echoes
from tests.support.worker_support import ignores, is_running, workers_of

if TYPE_CHECKING:
    from anyio.abc import Process

    from tests.conftest import Command

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="it finds the workers in /proc"),
]

CUTS = int(os.environ.get("PROMPTJOBS_CUTS", "6"))
REQUESTS = 250
ROWS = {f"row-{number}": f"number {number}" for number in range(REQUESTS)}
CONCURRENCY = 12
RPM = 3600
SLACK = 0.1
"""Seconds by which the server may notice a closed connection, or a busy machine delay a request."""
PATIENCE = 10.0
"""Seconds in which a worker that starts up notices that its driver has ended, on a busy machine."""
RECENT = 0.5
"""Seconds after the end of an answer in which its result may not be durable yet."""


class Statistics:
    """What the cuts came to."""

    def __init__(self) -> None:
        self.runs = self.killed = self.frozen = self.drivers = 0
        self.twice = self.in_flight = self.most = 0
        self.wasted = 0

    @property
    def cuts(self) -> int:
        return self.killed + self.frozen + self.drivers

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts in {self.runs} runs: {self.killed} workers killed, {self.frozen} frozen, "
            f"{self.drivers} drivers killed; {self.twice} requests were sent twice, with {self.in_flight} in "
            f"flight at the cuts, and {self.wasted} reported as wasted; at most {self.most} at once"
        )


def arguments(processes: int, *more: str) -> list[str]:
    """The command line of a run."""
    run = [sys.executable, "-m", "tests.support.impatient_run", "run", "job.yaml", "-q", "--json"]
    return [*run, "--processes", str(processes), *more]


async def cut_some(driver: Process, server: CountingServer, random: Random, statistics: Statistics) -> None:
    """Cut workers, and in the end perhaps the driver, until the run is over."""
    for _ in range(random.randrange(2, 9)):
        while driver.returncode is None and not server.recent(0):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        await anyio.sleep(random.uniform(0, 0.8))
        if driver.returncode is not None or statistics.cuts >= CUTS:
            return
        workers = workers_of(driver.pid)
        if random.random() < 0.15:
            statistics.in_flight += server.recent(RECENT)
            statistics.drivers += 1
            driver.kill()
            await driver.wait()
            await anyio.sleep(SLACK)
            sent = len(server.log)
            await workers_end(driver.pid)
            assert len(server.log) == sent, "a worker has sent a request without its driver"
            return
        if workers:
            number = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
            statistics.in_flight += server.recent(RECENT)
            statistics.killed += number == signal.SIGKILL
            statistics.frozen += number == signal.SIGSTOP
            os.kill(random.choice(workers), number)


async def workers_end(driver: int) -> None:
    """Wait until no worker of a driver that has ended runs."""
    with anyio.fail_after(PATIENCE):
        while running := list(filter(is_running, workers_of(driver))):
            await anyio.sleep(0.01)
            for worker in running:
                resume_in_start(worker)


def resume_in_start(worker: int) -> None:
    """Resume a worker that was frozen before it was tied to its driver: it can end only once it runs."""
    with suppress(OSError):
        if not ignores(worker, signal.SIGTERM):
            os.kill(worker, signal.SIGCONT)


async def complete_despite_cuts(
    command: Command, server: CountingServer, random: Random, statistics: Statistics
) -> None:
    """Run the job until it is complete, with another number of processes each time."""
    shutil.rmtree(command.folder / "output", ignore_errors=True)
    server.log.clear()
    code: int | None = -signal.SIGKILL
    runs = 0
    while code == -signal.SIGKILL:
        runs += 1
        statistics.runs += 1
        start = len(server.log)
        stderr, stdout = command.folder / "stderr", command.folder / "stdout"
        with stderr.open("wb") as errors, stdout.open("wb") as summary, anyio.fail_after(300):
            driver = await anyio.open_process(
                arguments(random.choice([2, 3])),
                cwd=command.folder,
                env=command.environment,
                stdout=summary,
                stderr=errors,
            )
            try:
                await cut_some(driver, server, random, statistics)
                code = await driver.wait()
            finally:
                with suppress(ProcessLookupError):
                    driver.kill()
                await driver.aclose()
        assert code in {0, -signal.SIGKILL}, stderr.read_text()
        await workers_end(driver.pid)
        assert not exceeds(server.log[start:], RPM, SLACK)
    check_echoes(command.folder / "output" / "job.jsonl", ROWS)
    twice, wasted = len(server.log) - REQUESTS, json.loads(stdout.read_text())["wasted"]
    if runs == 1:  # a driver that is killed reports nothing
        assert twice <= wasted
    statistics.twice += twice
    statistics.wasted += wasted
    statistics.most = max(statistics.most, most_at_once(server.log, SLACK))


@pytest.mark.slow
async def test_each_request_ends_in_one_line_whatever_is_killed(promptjobs: Command) -> None:
    statistics, random = Statistics(), Random(20261129)
    async with CountingServer() as server:
        write_job(
            promptjobs.folder,
            server.url,
            ROWS,
            concurrency=CONCURRENCY,
            adaptive=False,
            rate_limits={"rpm": RPM},
        )
        while statistics.cuts < CUTS:
            before = (statistics.twice, statistics.in_flight)
            await complete_despite_cuts(promptjobs, server, random, statistics)
            assert statistics.twice - before[0] <= statistics.in_flight - before[1]
            assert statistics.most <= CONCURRENCY
            print(statistics)
    assert statistics.twice > 0
