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

from batch.app.adoption import claim
from batch.app.aside import drawn_up
from batch.app.dates import exact_utc_now
from batch.app.finish import finish, publish
from batch.app.journal import Journal
from batch.app.plan import open_source
from batch.app.provenance import Beginning
from batch.app.restated import restate_of, sent_again, written_again
from batch.app.session import Session
from batch.app.stop import UNFINISHED, UNSENT, Signals
from batch.app.superseding import afterwards, announcement, check_sidecar, refuse_changes
from batch.app.trouble import explained
from batch.app.unplanned import Unplanned
from batch.errors import OutputWriteError, UsageError
from batch.policy.resume import TO_RETRY, TO_RUN
from batch.results.contents import refuse_foreign
from batch.results.lock import OutputLock
from batch.results.log import ResultLog
from batch.results.sidecars import match_sidecars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.app.adoption import Claim
    from batch.app.environment import Environment
    from batch.app.options import RunOptions, RunReporter
    from batch.app.plan import Plan
    from batch.inputs.source import JobSource
    from batch.jobfile.job import JobFile
    from batch.policy.resume import State
    from batch.records import Result, Summary

_LOOK_UP_AFTER = 1000
"""Lines of the output that are read before anybody asks whether they are still wanted."""


async def execute(
    job: JobFile, environment: Environment, reporter: RunReporter, options: RunOptions
) -> Summary:
    """Run what has no success yet, and leave exactly one line per request.

    Raises the errors of ``batch.errors`` that end a run before it has begun, or that lose its output.
    """
    signals = Signals(reporter.notice, options.watchdog)
    with signals.heard() if options.signals else nullcontext():
        await anyio.to_thread.run_sync(_refuse, job, options)  # before a lock is left beside it
        with OutputLock(job.output), Journal.of(job, reporter) as journal, ExitStack() as stack:
            match_sidecars(job.output)
            signals.last_words = journal.broken_off
            try:
                with signals.stoppable(UNSENT):
                    log = stack.enter_context(await _opened(job, options))
                    prepared = await _prepared(job, log, journal, options)
                session = Session(job, environment, journal, options, signals)
                return await _carried_out(prepared, session, signals, options)
            except Exception as error:  # noqa: BLE001 - whatever it is, a person is told one sentence
                raise explained(error, journal) from error.__cause__


def _refuse(job: JobFile, options: RunOptions) -> None:
    """Raise ``UsageError`` for an output that is not this job's to write to."""
    refuse_foreign(job.output)
    claim(job, adopt=options.adopt)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A run before anything is sent; ``lines`` are those that its log had, ``told`` what was said by now."""

    job: JobFile
    log: ResultLog
    journal: Journal
    begun: Beginning
    claim: Claim
    source: JobSource
    plan: Plan
    unplanned: Unplanned | None
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
            tell = self.journal.notice if self.claim.is_adopted else self.journal.remark
            tell(self.claim.told)

    async def take_over(self) -> None:
        """Record the same for a job that finds all of its results in the output of another."""
        if self.claim.told and not self.plan.to_do:
            try:
                await self.record()
            except OutputWriteError as error:
                self.journal.notice(str(error))

    @property
    def orphans(self) -> int:
        """Lines of requests that the job does not have; none are known before all of the job is."""
        is_whole = self.unplanned is None or self.unplanned.is_whole
        return self.plan.orphans(self.lines) if is_whole else 0


async def _prepared(job: JobFile, log: ResultLog, journal: Journal, options: RunOptions) -> _Prepared:
    begun = await anyio.to_thread.run_sync(Beginning.of, job)
    for notice in log.notices:
        journal.notice(notice)
    claimed = await anyio.to_thread.run_sync(partial(claim, job, adopt=options.adopt))
    source = await anyio.to_thread.run_sync(open_source, job)
    lines = len(log.contents.index)
    unplanned = _unplanned(job, source, log, options)
    await anyio.to_thread.run_sync(source.prepare)
    if unplanned is None:
        plan = await drawn_up(source, log.known, _sending(options))
        _announce(job, plan, journal)
    else:
        if job.on_change == "refuse":
            refuse_changes(job, await drawn_up(source, log.known, _sending(options)))
        check_sidecar(job)
        await unplanned.begin()
        plan = unplanned.plan
    again = sent_again(log.contents.index.restated_codes())
    if again is not None:
        journal.notice(again)
    told = _remark(source, journal)
    journal.start(plan.total, plan.settled, is_whole=unplanned is None)
    return _Prepared(job, log, journal, begun, claimed, source, plan, unplanned, lines, told)


def _announce(job: JobFile, plan: Plan, journal: Journal) -> None:
    """Say what has changed. Raises ``UsageError`` where the job does not allow that answers are replaced."""
    refuse_changes(job, plan)
    if plan.superseding:
        check_sidecar(job)
    if text := announcement(job, plan):
        journal.remark(text)


async def _carried_out(run: _Prepared, session: Session, signals: Signals, options: RunOptions) -> Summary:
    job, journal, plan, begun = run.job, run.journal, run.plan, run.begun
    is_pruned = False
    try:
        if run.log.is_restated:
            await run.record()
            journal.notice(written_again(await run.log.write_restated()))
        if plan.to_send and options.limit != 0:
            await session.send(run.source, plan, run.log, run.unplanned, run.record)
        with signals.stoppable(UNFINISHED):
            if not session.told_twice:  # else the next run does the rest
                await _count_the_rest(run, session)
                await run.take_over()
                is_pruned = await _finished(run, options)
    except Exception as caught:  # noqa: BLE001 - the summary is left whatever it was
        error = explained(caught, journal)
        if session.has_sent or not isinstance(error, UsageError):  # else an earlier run's summary stays
            summary = session.summary(plan, begun, run.orphans, error)
            await publish(summary, job.output, journal)
            error.exit_code = summary.exit_code
        raise error from error.__cause__
    summary = session.summary(plan, begun, 0 if is_pruned else run.orphans)
    await publish(summary, job.output, journal)
    return summary


async def _finished(run: _Prepared, options: RunOptions) -> bool:
    """Leave the output as the job asks for it, and return whether it was pruned."""
    job, log = run.job, run.log
    keep = job.on_change != "replace"
    is_pruned = await finish(log, run.source, job.order, run.journal, prune=options.prune, keep=keep)
    if run.unplanned is not None and (text := afterwards(job, run.plan, log.kept)):
        run.journal.remark(text)
    return is_pruned


async def _count_the_rest(run: _Prepared, session: Session) -> None:
    """Come to know all of a job that was not gone through beforehand."""
    if run.unplanned is not None:

        async def write(results: Sequence[Result]) -> None:
            await run.record()
            await session.write(run.log, results)

        await run.unplanned.count_the_rest(write)
        _remark(run.source, run.journal, run.told)
        run.journal.found(run.plan.total, run.plan.settled)


def _remark(source: JobSource, journal: Journal, told: Sequence[str] = ()) -> list[str]:
    """Say what is known of the inputs by now, but for what has been ``told``; return all of it."""
    notices = source.notices
    for notice in notices:
        if notice not in told:
            journal.remark(notice)
    return notices


def _sending(options: RunOptions) -> frozenset[State]:
    return TO_RETRY if options.retry else TO_RUN


def _unplanned(job: JobFile, source: JobSource, log: ResultLog, options: RunOptions) -> Unplanned | None:
    """For a job whose bad rows are skipped, so that nothing has to be known of it beforehand."""
    if job.inputs is None or not job.inputs.skips:
        return None
    return Unplanned(source, log.known, _sending(options), exact_utc_now)


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
