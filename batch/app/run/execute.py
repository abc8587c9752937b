"""Run a job, from locking its output to writing its summary."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.from_thread import check_cancelled

from batch.app.run import summary
from batch.app.run.finalize import finish, publish
from batch.app.run.outcome import RunOutcome
from batch.app.run.output_claim import claim
from batch.app.run.plan import open_source
from batch.app.run.process_signals import cancelled
from batch.app.run.recorder import Recorder
from batch.app.run.request_feed import feed_of
from batch.app.run.run_log import RunLog
from batch.app.run.run_statistics import Statistics
from batch.app.run.shards import merged_notice, unmerged_notice, with_merged
from batch.app.run.shutdown import UNFINISHED, UNSENT, Signals
from batch.app.run.summary import RunStart
from batch.app.run.unexpected_errors import explained
from batch.app.setup.reclassified import restate_of, sent_again, written_again
from batch.errors import OutputWriteError, UsageError
from batch.events import EarlierFailures, ProcessEnding, ResultsDurable, RunStarted
from batch.observers import Observers
from batch.results.contents import refuse_foreign
from batch.results.lock import OutputLock
from batch.results.replaced import Replaced
from batch.results.result_line import stored
from batch.results.result_log import ResultLog
from batch.results.sidecars import match_sidecars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.app.run.options import RunOptions
    from batch.app.run.output_claim import Claim
    from batch.app.run.request_feed import RequestFeed
    from batch.app.setup.environment import Environment
    from batch.errors import PromptJobsError
    from batch.inputs.source import JobSource
    from batch.jobfile.job import JobFile
    from batch.protocols import Observer
    from batch.records import Result, Summary

_LOOK_UP_AFTER = 1000
"""Lines of the output that are read between two checks for cancellation."""


async def execute(
    job: JobFile, environment: Environment, others: Iterable[Observer], options: RunOptions
) -> Summary:
    """Send every request that has not succeeded yet, and leave exactly one line per request.

    Raises the errors of ``batch.errors`` that prevent a run, or that lose its output.
    """
    others = tuple(others)
    early = Observers(others)  # until there is a log
    signals = Signals(early.warn, options.watchdog)
    with signals.handle_signals() if options.signals else nullcontext():
        await anyio.to_thread.run_sync(_refuse, job, options)  # before a lock file is created next to it
        with OutputLock(job.output), RunLog.of(job, early.warn) as run_log, ExitStack() as stack:
            match_sidecars(job.output)
            statistics = Statistics()
            recorder = Recorder(job, options, statistics)
            stack.callback(recorder.close)
            observers = Observers((statistics, recorder, run_log, *others))
            signals.before_exit = lambda why: observers.emit(ProcessEnding(why))
            try:
                with signals.stoppable(UNSENT):
                    log = stack.enter_context(await _open_log(job, options))
                    prepared = await _prepare(job, log, run_log, observers, statistics, recorder, options)
                return await _execute_prepared(prepared, environment, signals)
            except Exception as error:  # noqa: BLE001 - report any exception in one sentence
                raise explained(error, run_log) from error.__cause__


def _refuse(job: JobFile, options: RunOptions) -> None:
    """Raise ``UsageError`` for an output that this job may not write to."""
    refuse_foreign(job.output)
    claim(job, adopt=options.adopt)


@dataclass(frozen=True, slots=True)
class _Prepared:
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


async def _prepare(
    job: JobFile,
    log: ResultLog,
    run_log: RunLog,
    observers: Observers,
    statistics: Statistics,
    recorder: Recorder,
    options: RunOptions,
) -> _Prepared:
    run_start = await anyio.to_thread.run_sync(RunStart.of, job)
    recorder.begin(run_start, observers.inform)
    for notice in log.notices:
        observers.warn(notice)
    output_claim = await anyio.to_thread.run_sync(partial(claim, job, adopt=options.adopt))
    source = await anyio.to_thread.run_sync(open_source, job)
    lines = len(log.contents.index)
    selection = await anyio.to_thread.run_sync(with_merged, job, options.selection)
    feed = feed_of(job, source, log, selection)
    await anyio.to_thread.run_sync(source.prepare)
    await feed.prepare(observers)
    again = sent_again(log.contents.index.restated_codes())
    if again is not None:
        observers.warn(again)
    reported = _report_notices(source, observers)
    plan = feed.plan
    if text := merged_notice(job, plan):
        observers.inform(text)
    if text := unmerged_notice(job):
        observers.warn(text)
    selected = plan.total - plan.left_out.total()
    observers.emit(RunStarted(selected, plan.settled, is_whole=feed.growth() is None))
    return _Prepared(
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


async def _execute_prepared(run: _Prepared, environment: Environment, signals: Signals) -> Summary:
    outcome, is_pruned = RunOutcome(), False
    try:
        if run.log.is_restated:
            await run.record()
            run.observers.warn(written_again(await run.log.write_restated()))
        run.feed.plan.replaced = Replaced(run.log.contents.index)
        outcome = await _sent(run, environment, signals)
        outcome.check()
        with signals.stoppable(UNFINISHED):
            if not outcome.must_end_now:  # else the next run does it
                await _count_the_rest(run)
                await run.take_over()
                is_pruned = await _finish_output(run)
    except Exception as caught:  # noqa: BLE001 - write the summary in any case
        error = explained(caught, run.run_log)
        has_sent = run.statistics.attempts > 0
        if has_sent or not isinstance(error, UsageError):  # else keep an earlier run's summary
            error.exit_code = (await run.summarize(outcome, run.orphans, error)).exit_code
        raise error from error.__cause__
    except CancelledError:
        with anyio.CancelScope(shield=True):
            await run.summarize(outcome, run.orphans, cancelled())
        raise
    return await run.summarize(outcome, 0 if is_pruned else run.orphans)


async def _sent(run: _Prepared, environment: Environment, signals: Signals) -> RunOutcome:
    """Send the requests, if there are any. Load the engine and the HTTP client only then."""
    if not run.feed.plan.to_send and run.options.limit != 0:
        return RunOutcome()
    from batch.app.run.engine import send  # noqa: PLC0415 - it takes longer to load than a small job to read

    return await send(
        run.job,
        run.feed,
        run.log,
        run.observers,
        environment=environment,
        options=run.options,
        signals=signals,
        ready=run.record,
    )


async def _finish_output(run: _Prepared) -> bool:
    """Prune and sort the output as the job requires, and return whether it was pruned."""
    job, log, prune = run.job, run.log, run.options.prune
    keep = job.on_change != "replace"
    is_pruned = await finish(log, run.source, job.order, run.observers, prune=prune, keep=keep)
    if text := run.feed.closing_notice(log.kept):
        run.observers.inform(text)
    return is_pruned


async def _count_the_rest(run: _Prepared) -> None:
    """Read the rest of a job that was not read before the run."""

    async def write(results: Sequence[Result]) -> None:
        await run.record()
        run.observers.emit(ResultsDurable(await stored(run.log, results)))

    await run.feed.finish(write)
    if (growth := run.feed.growth()) is not None:
        _report_notices(run.source, run.observers, run.reported)
        run.observers.emit(growth)


def _report_notices(source: JobSource, observers: Observers, reported: Sequence[str] = ()) -> list[str]:
    """Report the notices of the inputs that are not in ``reported``; return all of them."""
    notices = source.notices
    for notice in notices:
        if notice not in reported:
            observers.inform(notice)
    return notices


async def _open_log(job: JobFile, options: RunOptions) -> ResultLog:
    """Open the log in a thread: a long one takes seconds to read and must not block the event loop."""

    lines = count(1)

    def look_up(_: Result) -> None:
        if not next(lines) % _LOOK_UP_AFTER:
            check_cancelled()

    def open_log() -> ResultLog:
        return ResultLog.open(
            job.output, durability=options.durability, each=look_up, restate=restate_of(job)
        )

    return await anyio.to_thread.run_sync(open_log)
