"""Run a job, from locking its output to writing its summary."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from batch.app.run.command_signals import cancelled
from batch.app.run.finalize import finish
from batch.app.run.outcome import RunOutcome
from batch.app.run.output_claim import claim
from batch.app.run.prepared_run import PreparedRun, open_log, prepare, report_notices
from batch.app.run.recorder import Recorder
from batch.app.run.run_log import RunLog
from batch.app.run.run_signals import UNFINISHED, UNSENT, Signals
from batch.app.run.run_statistics import Statistics
from batch.app.run.unexpected_errors import explained
from batch.app.setup.reclassified import written_again
from batch.errors import UsageError
from batch.events import ProcessEnding, ResultsDurable
from batch.observers import Observers
from batch.results.contents import refuse_foreign
from batch.results.lock import OutputLock
from batch.results.replaced import Replaced
from batch.results.result_writer import stored
from batch.results.sidecars import match_sidecars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.app.run.options import RunOptions
    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile
    from batch.protocols import Observer
    from batch.records import Result
    from batch.run_summary import Summary


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
                    log = stack.enter_context(await open_log(job, options))
                    prepared = await prepare(job, log, run_log, observers, statistics, recorder, options)
                return await _execute_prepared(prepared, environment, signals)
            except Exception as error:  # noqa: BLE001 - report any exception in one sentence
                raise explained(error, run_log) from error.__cause__


def _refuse(job: JobFile, options: RunOptions) -> None:
    """Raise ``UsageError`` for an output that this job may not write to."""
    refuse_foreign(job.output)
    claim(job, adopt=options.adopt)


async def _execute_prepared(run: PreparedRun, environment: Environment, signals: Signals) -> Summary:
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


async def _sent(run: PreparedRun, environment: Environment, signals: Signals) -> RunOutcome:
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


async def _finish_output(run: PreparedRun) -> bool:
    """Prune and sort the output as the job requires, and return whether it was pruned."""
    job, log, prune = run.job, run.log, run.options.prune
    keep = job.on_change != "replace"
    is_pruned = await finish(log, run.source, job.order, run.observers, prune=prune, keep=keep)
    if text := run.feed.closing_notice(log.kept):
        run.observers.inform(text)
    return is_pruned


async def _count_the_rest(run: PreparedRun) -> None:
    """Read the rest of a job that was not read before the run."""

    async def write(results: Sequence[Result]) -> None:
        await run.record()
        run.observers.emit(ResultsDurable(await stored(run.log, results)))

    await run.feed.finish(write)
    if (growth := run.feed.growth()) is not None:
        report_notices(run.source, run.observers, run.reported)
        run.observers.emit(growth)
