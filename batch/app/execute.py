"""Running a job, from the lock on its output to the summary beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import anyio
import anyio.to_thread

from batch.app.aside import drawn_up
from batch.app.dates import exact_utc_now
from batch.app.finish import finish, publish
from batch.app.journal import Journal
from batch.app.plan import open_source
from batch.app.provenance import Beginning
from batch.app.session import Session
from batch.app.unplanned import Unplanned
from batch.errors import PromptJobsError, UsageError
from batch.policy.resume import TO_RETRY, TO_RUN
from batch.ports import Reporter
from batch.results.contents import refuse_foreign
from batch.results.lock import OutputLock
from batch.results.log import ResultLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.app.environment import Environment
    from batch.inputs.source import JobSource
    from batch.jobfile.job import JobFile
    from batch.policy.resume import State
    from batch.policy.standing import Standing
    from batch.records import Summary


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What belongs to one run and not to the job.

    ``limit`` is the number of requests to send at most, ``max_duration`` is in seconds. ``signals``: SIGINT
    and SIGTERM drain the run; only for the main thread of a process of our own. ``retry``: failed requests
    are sent again, also those that were given up. ``prune``: lines of requests that the job no longer has are
    dropped from the output.
    """

    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: Literal["fsync", "flush"] = "fsync"
    signals: bool = False
    retry: bool = False
    prune: bool = False


class RunReporter(Reporter, Protocol):
    """A reporter that is also told where the run starts, and how far the weights have come."""

    def start(self, total: int, already: int) -> None:
        """The job has ``total`` requests, ``already`` of them need nothing more."""
        ...

    def found(self, total: int, already: int) -> None:
        """The same again, of a job that is read while it runs: so far it has as many."""
        ...

    def fetching(self, done: int, total: int) -> None:
        """Bytes of the embedded model's weights; told in a worker thread."""
        ...

    def remark(self, message: str) -> None:
        """What a person may want to know, and is no trouble: a quiet run leaves it to the log."""
        ...

    def watch(self, look: Callable[[], Standing] | None) -> None:
        """From now on ``look`` says how the engine stands; ``None``: nothing is under way any more."""
        ...


async def execute(
    job: JobFile, environment: Environment, reporter: RunReporter, options: RunOptions
) -> Summary:
    """Run what has no success yet, and leave exactly one line per request.

    Raises the errors of ``batch.errors`` that end a run before it has begun, or that lose its output.
    """
    await anyio.to_thread.run_sync(refuse_foreign, job.output)  # before a lock is left beside it
    with OutputLock(job.output), await _opened(job, options) as log, Journal.of(job, reporter) as journal:
        begun = await anyio.to_thread.run_sync(Beginning.of, job)
        for notice in log.notices:
            journal.notice(notice)
        source = await anyio.to_thread.run_sync(open_source, job)
        lines = len(log.contents.index)
        unplanned = _unplanned(job, source, log, options)
        if unplanned is None:
            plan = await drawn_up(source, log.known, _sending(options))
        else:
            await unplanned.begin()
            plan = unplanned.plan
        told = _remark(source, journal)
        journal.start(plan.total, plan.settled)
        session = Session(job, environment, journal, options)
        is_pruned = False
        try:
            if plan.to_send and options.limit != 0:
                await session.send(source, plan, log, unplanned)
            if unplanned is not None:
                await unplanned.count_the_rest(partial(session.write, log))
                _remark(source, journal, told)
                journal.found(plan.total, plan.settled)
            is_pruned = await finish(log, source, job.order, journal, prune=options.prune)
        except PromptJobsError as error:
            if session.has_sent or not isinstance(error, UsageError):  # else an earlier run's summary stays
                await publish(session.summary(plan, begun, plan.orphans(lines), error), job.output, journal)
            raise
        summary = session.summary(plan, begun, 0 if is_pruned else plan.orphans(lines))
        await publish(summary, job.output, journal)
    return summary


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
    return await anyio.to_thread.run_sync(partial(ResultLog.open, job.output, durability=options.durability))
