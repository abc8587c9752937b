"""Keeps ``<output>.progress.json`` up to date while requests are sent, and removes it afterwards."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from batch.app.run.timestamps import exact_utc_now
from batch.events import RunStarted
from batch.progress.counters import Counters, Speed
from batch.results.filesystem import reason
from batch.results.progress_file import (
    EndpointProgress,
    ParkedState,
    Progress,
    progress_path,
    remove_progress,
    write_progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.run.run_statistics import Statistics
    from batch.app.run.summary import RunStart
    from batch.events import PlanGrew, Snapshot
    from batch.jobfile.job import JobFile

MAX_ENDPOINTS = 20
_SHARE = 100
"""A write is followed by a pause of so many times its duration: a slow disk costs one percent at most."""


class ProgressWriter:
    """Writes the progress of a run from its ``statistics``; an error is only reported.

    ``clock`` returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        job: JobFile,
        statistics: Statistics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._statistics = statistics
        self._on_trouble: Callable[[str], None] | None = None
        self._clock = clock
        self._host = socket.gethostname()
        self._counters = Counters()
        self._settled = 0
        self._run_start = clock()
        self._started_at = ""
        self._speed = Speed(self._run_start, self._counters)
        self._due = self._run_start
        self._has_written = False

    def begin(self, run_start: RunStart, on_trouble: Callable[[str], None]) -> None:
        """Set the start of the run. ``on_trouble`` receives the first error."""
        self._run_start, self._started_at = run_start.clock, run_start.at
        self._on_trouble = on_trouble

    def plan(self, event: RunStarted | PlanGrew) -> None:
        """Set the number of requests."""
        self._counters.found(event.total, event.settled, is_whole=event.is_whole)
        self._settled = event.settled
        if isinstance(event, RunStarted):
            self._counters.done = event.settled
            self._speed = Speed(self._clock(), self._counters)

    def report(self, snapshot: Snapshot | None) -> None:
        """Write the progress if that is due, or remove it once the engine has stopped (``None``)."""
        if snapshot is None:
            self.close()
        elif self._clock() >= self._due:
            self._write(snapshot)

    def close(self) -> None:
        """Remove the file."""
        if self._has_written:
            self._has_written = False
            with suppress(OSError):
                remove_progress(self._job.output)

    def _write(self, snapshot: Snapshot) -> None:
        begin = self._clock()
        progress = self._progress(snapshot, begin)
        self._has_written = True
        try:
            write_progress(self._job.output, progress)
        except OSError as error:
            self._report(error)
        end = self._clock()
        self._due = end + (end - begin) * _SHARE

    def _report(self, error: OSError) -> None:
        if self._on_trouble is not None:
            where = progress_path(self._job.output)
            self._on_trouble(f"{where} cannot be written; `status` cannot show rates: {reason(error)}")
            self._on_trouble = None

    def _progress(self, snapshot: Snapshot, now: float) -> Progress:
        statistics, counters = self._statistics, self._counters
        counters.done = self._settled + statistics.succeeded + statistics.failed
        counters.tokens = statistics.completion_tokens
        requests, tokens = self._speed.sample(now, counters)
        seconds_left = counters.seconds_left(requests)
        return Progress(
            schema_version=1,
            pid=os.getpid(),
            host=self._host,
            name=self._job.name,
            output=str(self._job.output),
            started_at=self._started_at,
            updated_at=exact_utc_now(),
            seconds=round(now - self._run_start, 3),
            total=counters.total if counters.is_whole else None,
            done=counters.done,
            succeeded=statistics.succeeded,
            failed=dict(statistics.codes),
            attempts=statistics.attempts,
            retries=statistics.retries,
            requests_per_second=round(requests, 3),
            tokens_per_second=round(tokens, 1),
            seconds_left=None if seconds_left is None else round(seconds_left, 1),
            prompt_tokens=statistics.prompt_tokens,
            completion_tokens=statistics.completion_tokens,
            cost=round(statistics.cost, 9) if statistics.priced else None,
            currency=self._job.currency,
            in_flight=snapshot.in_flight,
            limit=snapshot.allowed,
            retries_waiting=snapshot.waiting,
            held_back=_held_back(snapshot),
            endpoints=_endpoints(snapshot),
            failures=list(statistics.latest_failures),
        )


LIMITS = "limits"
"""Why fewer requests are in flight: a budget or a rate limit."""


def _held_back(snapshot: Snapshot) -> str | None:
    if snapshot.is_limited:
        return LIMITS
    return None if snapshot.held_back is None else snapshot.held_back.reason


def _endpoints(snapshot: Snapshot) -> list[EndpointProgress]:
    """Return the first endpoints, the parked ones before the others."""
    parked = {
        each.name: ParkedState(
            each.code, each.is_open, None if each.seconds is None else round(each.seconds, 1)
        )
        for each in snapshot.parked
    }
    loads = sorted(snapshot.endpoints, key=lambda load: load.name not in parked)
    return [
        EndpointProgress(load.name, load.in_flight, load.limit, parked.get(load.name))
        for load in loads[:MAX_ENDPOINTS]
    ]
