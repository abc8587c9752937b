"""Records a run while it goes on: its timeline for the history, and its progress for ``status``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from batch.app.run.progress_writer import ProgressWriter
from batch.app.run.timeline import TimelineBuilder
from batch.app.run.timeline_bin import Counts
from batch.events import (
    AttemptFailed,
    AttemptStarted,
    PlanGrew,
    ProcessEnding,
    ResultsDurable,
    RunStarted,
    Tick,
)
from batch.records import SCHEMA_VERSION
from batch.results.run_record import RecordedOptions, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.run.options import RunOptions
    from batch.app.run.run_statistics import Statistics
    from batch.app.run.summary import RunStart
    from batch.events import Event, Snapshot
    from batch.jobfile.job import JobFile
    from batch.records import Summary
    from batch.results.run_record import Timeline

MAX_PATTERNS = 20
"""Patterns of ``--only`` and ``--code`` that are recorded."""


class TimelineRecorder:
    """Samples the ``statistics`` of a run for its timeline.

    ``clock`` returns seconds of a monotonic clock. Until ``run_start`` is set, the run starts with this
    object.
    """

    def __init__(self, statistics: Statistics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run_start = clock()
        self._statistics = statistics
        self._clock = clock
        self._builder = TimelineBuilder()

    def finish(self) -> Timeline:
        """Return the timeline of the run, which ends now."""
        self.sample(None)
        return self._builder.build()

    def sample(self, snapshot: Snapshot | None) -> None:
        """Add the state of the run now; ``None``: the engine does not run."""
        now = self._clock() - self.run_start
        self._builder.add(now, Counts.until_now(self._statistics), snapshot)


class Recorder:
    """An observer that records a run. It reads ``statistics``, which must receive each event before it."""

    ignores = frozenset({AttemptStarted, AttemptFailed, ResultsDurable})

    def __init__(self, job: JobFile, options: RunOptions, statistics: Statistics) -> None:
        self._job = job
        self._options = options
        self._timeline = TimelineRecorder(statistics)
        self._progress = ProgressWriter(job, statistics)

    def begin(self, run_start: RunStart, on_trouble: Callable[[str], None]) -> None:
        """Set the start of the run. ``on_trouble`` receives the first error of writing the progress."""
        self._timeline.run_start = run_start.clock
        self._progress.begin(run_start, on_trouble)

    def observe(self, event: Event) -> None:
        """Record the state of the run at each tick; the statistics count all else."""
        if isinstance(event, Tick):
            self._timeline.sample(event.snapshot)
            self._progress.report(event.snapshot)
        elif isinstance(event, RunStarted | PlanGrew):
            self._progress.plan(event)
        elif isinstance(event, ProcessEnding):
            self.close()

    def record(self, summary: Summary) -> RunRecord:
        """Return the record of the run, which ends now."""
        options = recorded_options(self._job, self._options)
        return RunRecord(SCHEMA_VERSION, summary, options, self._timeline.finish())

    def close(self) -> None:
        """Remove the progress."""
        self._progress.close()


def recorded_options(job: JobFile, options: RunOptions) -> RecordedOptions:
    """Return what the history keeps of the options of a run."""
    selection = options.selection
    return RecordedOptions(
        models=[model.id for model in job.models],
        concurrency=job.concurrency,
        adaptive=job.adaptive,
        limit=options.limit,
        max_duration=job.limits.time if options.max_duration is None else options.max_duration,
        fail_fast=options.fail_fast,
        durability=options.durability,
        prune=options.prune,
        adopt=options.adopt,
        only=list(selection.only[:MAX_PATTERNS]),
        codes=list(selection.codes[:MAX_PATTERNS]),
        states=sorted(state.name.lower() for state in selection.states),
    )
