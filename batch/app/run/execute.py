"""Running a job, from the lock on its output to the summary beside it."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.from_thread import check_cancelled

from batch.app.run import summary
from batch.app.run.engine import send
from batch.app.run.event_log_reporter import RunLog
from batch.app.run.finalize import finish, publish
from batch.app.run.outcome import RunOutcome
from batch.app.run.output_claim import claim
from batch.app.run.plan import open_source
from batch.app.run.request_feed import feed_of
from batch.app.run.run_statistics import Statistics
from batch.app.run.shutdown import UNFINISHED, UNSENT, Signals
from batch.app.run.summary import Beginning
from batch.app.run.unexpected_errors import explained
from batch.app.setup.reclassified import restate_of, sent_again, written_again
from batch.errors import OutputWriteError, UsageError
from batch.events import ProcessEnding, ResultsDurable, RunStarted
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
"""Lines of the output that are read before anybody asks whether they are still wanted."""


async def execute(
    job: JobFile, environment: Environment, others: Iterable[Observer], options: RunOptions
) -> Summary:
    """Run what has no success yet, and leave exactly one line per request.

    Raises the errors of ``batch.errors`` that end a run before it has begun, or that lose its output.
    """
    others = tuple(others)
    early = Observers(others)  # until there is a log
    signals = Signals(early.warn, options.watchdog)
    with signals.heard() if options.signals else nullcontext():
        await anyio.to_thread.run_sync(_refuse, job, options)  # before a lock is left beside it
        with OutputLock(job.output), RunLog.of(job, early.warn) as run_log, ExitStack() as stack:
            match_sidecars(job.output)
            statistics = Statistics()
            observers = Observers((statistics, run_log, *others))
            signals.last_words = lambda why: observers.emit(ProcessEnding(why))
            try:
                with signals.stoppable(UNSENT):
                    log = stack.enter_context(await _opened(job, options))
                    prepared = await _prepared(job, log, run_log, observers, statistics, options)
                return await _carried_out(prepared, environment, signals)
            except Exception as error:  # noqa: BLE001 - whatever it is, a person is told one sentence
                raise explained(error, run_log) from error.__cause__


def _refuse(job: JobFile, options: RunOptions) -> None:
    """Raise ``UsageError`` for an output that is not this job's to write to."""
    refuse_foreign(job.output)
    claim(job, adopt=options.adopt)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A run before anything is sent; ``lines`` are those that its log had, ``told`` what was said by now."""

    job: JobFile
    log: ResultLog
    run_log: RunLog
    observers: Observers
    statistics: Statistics
    options: RunOptions
    begun: Beginning
    claim: Claim
    source: JobSource
    feed: RequestFeed
    lines: int
    told: list[str]

    async def record(self) -> None:
        """Record durably which job writes to the output, and say if it takes that over, once.

        Raises ``OutputWriteError``.
        """
        if not self.claim.is_new:
            return
        await anyio.to_thread.run_sync(self.claim.record)
        if self.claim.told:
            tell = self.observers.warn if self.claim.is_adopted else self.observers.inform
            tell(self.claim.told)

    async def take_over(self) -> None:
        """Record the same for a job that finds all of its results in the output of another."""
        if self.claim.told and not self.feed.plan.to_do:
            try:
                await self.record()
            except OutputWriteError as error:
                self.observers.warn(str(error))

    @property
    def orphans(self) -> int:
        """Lines of requests that the job does not have; none are known before all of the job is."""
        return self.feed.plan.orphans(self.lines) if self.feed.is_whole else 0

    async def summarize(
        self, outcome: RunOutcome, orphans: int, error: PromptJobsError | None = None
    ) -> Summary:
        """Publish the summary of the run, and return it; ``error`` is what ended it early."""
        built = summary.build(
            self.job,
            self.feed.plan,
            self.statistics,
            outcome,
            self.begun,
            orphans=orphans,
            fail_fast=self.options.fail_fast,
            error=error,
        )
        await publish(built, self.job.output, self.observers)
        return built


async def _prepared(
    job: JobFile,
    log: ResultLog,
    run_log: RunLog,
    observers: Observers,
    statistics: Statistics,
    options: RunOptions,
) -> _Prepared:
    begun = await anyio.to_thread.run_sync(Beginning.of, job)
    for notice in log.notices:
        observers.warn(notice)
    claimed = await anyio.to_thread.run_sync(partial(claim, job, adopt=options.adopt))
    source = await anyio.to_thread.run_sync(open_source, job)
    lines = len(log.contents.index)
    feed = feed_of(job, source, log, options.sending, options.selection)
    await anyio.to_thread.run_sync(source.prepare)
    await feed.prepare(observers)
    again = sent_again(log.contents.index.restated_codes())
    if again is not None:
        observers.warn(again)
    told = _remark(source, observers)
    plan = feed.plan
    selected = plan.total - plan.left_out.total()
    observers.emit(RunStarted(selected, plan.settled, is_whole=feed.growth() is None))
    return _Prepared(
        job, log, run_log, observers, statistics, options, begun, claimed, source, feed, lines, told
    )


async def _carried_out(run: _Prepared, environment: Environment, signals: Signals) -> Summary:
    outcome, is_pruned = RunOutcome(), False
    try:
        if run.log.is_restated:
            await run.record()
            run.observers.warn(written_again(await run.log.write_restated()))
        run.feed.plan.replaced = Replaced(run.log.contents.index)
        outcome = await send(
            run.job,
            run.feed,
            run.log,
            run.observers,
            environment=environment,
            options=run.options,
            signals=signals,
            ready=run.record,
        )
        outcome.check()
        with signals.stoppable(UNFINISHED):
            if not outcome.must_end_now:  # else the next run does the rest
                await _count_the_rest(run)
                await run.take_over()
                is_pruned = await _finished(run)
    except Exception as caught:  # noqa: BLE001 - the summary is left whatever it was
        error = explained(caught, run.run_log)
        has_sent = run.statistics.attempts > 0
        if has_sent or not isinstance(error, UsageError):  # else an earlier run's summary stays
            error.exit_code = (await run.summarize(outcome, run.orphans, error)).exit_code
        raise error from error.__cause__
    return await run.summarize(outcome, 0 if is_pruned else run.orphans)


async def _finished(run: _Prepared) -> bool:
    """Leave the output as the job asks for it, and return whether it was pruned."""
    job, log, prune = run.job, run.log, run.options.prune
    keep = job.on_change != "replace"
    is_pruned = await finish(log, run.source, job.order, run.observers, prune=prune, keep=keep)
    if text := run.feed.closing_notice(log.kept):
        run.observers.inform(text)
    return is_pruned


async def _count_the_rest(run: _Prepared) -> None:
    """Come to know all of a job that was not gone through beforehand."""

    async def write(results: Sequence[Result]) -> None:
        await run.record()
        run.observers.emit(ResultsDurable(await stored(run.log, results)))

    await run.feed.finish(write)
    if (growth := run.feed.growth()) is not None:
        _remark(run.source, run.observers, run.told)
        run.observers.emit(growth)


def _remark(source: JobSource, observers: Observers, told: Sequence[str] = ()) -> list[str]:
    """Say what is known of the inputs by now, but for what has been ``told``; return all of it."""
    notices = source.notices
    for notice in notices:
        if notice not in told:
            observers.inform(notice)
    return notices


async def _opened(job: JobFile, options: RunOptions) -> ResultLog:
    """The log; a long one takes seconds to read, for which it does not hold up the caller's loop."""

    lines = count(1)

    def look_up(_: Result) -> None:
        if not next(lines) % _LOOK_UP_AFTER:
            check_cancelled()

    def open_log() -> ResultLog:
        return ResultLog.open(
            job.output, durability=options.durability, each=look_up, restate=restate_of(job)
        )

    return await anyio.to_thread.run_sync(open_log)
