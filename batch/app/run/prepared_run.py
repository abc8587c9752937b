"""A run before anything is sent: its output is read, its requests are planned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio.from_thread import check_cancelled

from batch.app.run import summary
from batch.app.run.finalize import publish
from batch.app.run.output_claim import claim
from batch.app.run.plan import open_source
from batch.app.run.request_feed import feed_of
from batch.app.run.shards import merged_notice, unmerged_notice, with_merged
from batch.app.run.summary import RunStart
from batch.app.setup.reclassified import restate_of, sent_again
from batch.errors import OutputWriteError
from batch.events import EarlierFailures, RunStarted
from batch.results.result_log import ResultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.app.run.options import RunOptions
    from batch.app.run.outcome import RunOutcome
    from batch.app.run.output_claim import Claim
    from batch.app.run.recorder import Recorder
    from batch.app.run.request_feed import RequestFeed
    from batch.app.run.run_log import RunLog
    from batch.app.run.run_statistics import Statistics
    from batch.errors import PromptJobsError
    from batch.inputs.source import JobSource
    from batch.jobfile.job import JobFile
    from batch.observers import Observers
    from batch.records import Result
    from batch.run_summary import Summary
    from batch.scheduling.selection import Selection

_LOOK_UP_AFTER = 1000
"""Lines of an output that are read between two checks for cancellation."""


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run before anything is sent.

    ``lines`` counts the lines that its log had; ``reported`` are the notices that were reported so far.
    """

    job: JobFile
    log: ResultLog
    run_log: RunLog
    observers: Observers
    statistics: Statistics
    recorder: Recorder
    options: RunOptions
    run_start: RunStart
    claim: Claim
    source: JobSource
    feed: RequestFeed
    lines: int
    reported: list[str]

    async def record(self) -> None:
        """Record durably which job writes to the output, and report a takeover, once.

        Raises ``OutputWriteError``.
        """
        if not self.claim.is_new:
            return
        await anyio.to_thread.run_sync(self.claim.record)
        if self.claim.notice:
            report = self.observers.warn if self.claim.is_adopted else self.observers.inform
            report(self.claim.notice)

    async def take_over(self) -> None:
        """Record the same for a job that finds all of its results in the output of another."""
        if self.claim.notice and not self.feed.plan.to_do:
            try:
                await self.record()
            except OutputWriteError as error:
                self.observers.warn(str(error))

    @property
    def orphans(self) -> int:
        """Lines of requests that the job does not have; 0 until all of the job is known."""
        return self.feed.plan.orphans(self.lines) if self.feed.is_whole else 0

    async def summarize(
        self, outcome: RunOutcome, orphans: int, error: PromptJobsError | None = None
    ) -> Summary:
        """Publish the summary of the run, and return it; ``error`` is the error that ended it early."""
        built = summary.build(
            self.job,
            self.feed.plan,
            self.statistics,
            outcome,
            self.run_start,
            orphans=orphans,
            fail_fast=self.options.fail_fast,
            error=error,
        )
        self.observers.emit(self._earlier_failures())
        await publish(built, self.job.output, self.observers, self.recorder.record)
        return built

    def _earlier_failures(self) -> EarlierFailures:
        plan = self.feed.plan
        found = ((name, self.log.known(name)) for name in plan.failed_ids)
        known = {name: latest for name, latest in found if latest is not None and not latest.succeeded}
        return EarlierFailures(known, plan.bad_documents, self.feed.is_whole)


async def open_log(job: JobFile, options: RunOptions) -> ResultLog:
    """Open the log in a thread: a long one takes seconds to read and must not block the event loop."""
    restate = restate_of(job)
    return await anyio.to_thread.run_sync(
        lambda: ResultLog.open(
            job.output, durability=options.durability, each=ends_if_cancelled(), restate=restate
        )
    )


def ends_if_cancelled() -> Callable[[Result], None]:
    """Return a function to call with each line of an output; it raises the cancellation of its thread."""
    lines = count(1)

    def look_up(_: Result) -> None:
        if not next(lines) % _LOOK_UP_AFTER:
            check_cancelled()

    return look_up


async def prepare(
    job: JobFile,
    log: ResultLog,
    run_log: RunLog,
    observers: Observers,
    statistics: Statistics,
    recorder: Recorder,
    options: RunOptions,
) -> PreparedRun:
    """Read the outputs and plan the requests; report what is found.

    Raises ``UsageError`` and ``OutputWriteError`` for what prevents the run.
    """
    run_start = await anyio.to_thread.run_sync(RunStart.of, job)
    recorder.begin(run_start, observers.inform)
    for notice in log.notices:
        observers.warn(notice)
    output_claim = await anyio.to_thread.run_sync(partial(claim, job, adopt=options.adopt))
    source = await anyio.to_thread.run_sync(open_source, job)
    lines = len(log.contents.index)
    selection, unmerged = await anyio.to_thread.run_sync(read_other_outputs, job, options.selection)
    feed = feed_of(job, source, log, selection)
    await anyio.to_thread.run_sync(source.prepare)
    await feed.prepare(observers)
    if text := sent_again(log.contents.index.restated_codes()):
        observers.warn(text)
    reported = report_notices(source, observers)
    _report_plan(job, feed, unmerged, observers)
    return PreparedRun(
        job,
        log,
        run_log,
        observers,
        statistics,
        recorder,
        options,
        run_start,
        output_claim,
        source,
        feed,
        lines,
        reported,
    )


def _report_plan(job: JobFile, feed: RequestFeed, unmerged: str, observers: Observers) -> None:
    """Report what the plan says about other outputs, and begin the run."""
    plan = feed.plan
    if text := merged_notice(job, plan):
        observers.inform(text)
    if unmerged:
        observers.warn(unmerged)
    selected = plan.total - plan.left_out.total()
    observers.emit(RunStarted(selected, plan.settled, is_whole=feed.growth() is None))


def read_other_outputs(job: JobFile, selection: Selection) -> tuple[Selection, str]:
    """Return the selection with what the merged output settles, and a warning about unmerged results."""
    return with_merged(job, selection, ends_if_cancelled()), unmerged_notice(job)


def report_notices(source: JobSource, observers: Observers, reported: Sequence[str] = ()) -> list[str]:
    """Report the notices of the inputs that are not in ``reported``; return all of them."""
    notices = source.notices
    for notice in notices:
        if notice not in reported:
            observers.inform(notice)
    return notices
