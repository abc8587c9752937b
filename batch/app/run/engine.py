"""The engine of one run: its endpoints, queues and limits, wired together.

``send`` opens the endpoints, builds the engine, runs it and returns a ``RunOutcome``.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace

from batch.app.run.endpoints import Address, Endpoints, members
from batch.app.run.open_file_limit import connections
from batch.app.run.outcome import RunOutcome
from batch.app.run.pending_requests import Allowance
from batch.app.run.quotas import Quotas
from batch.app.run.run_signals import UNSENT, Stopper
from batch.app.run.timestamps import exact_utc_now
from batch.app.run.worker_endpoints import by_place, endpoint_names
from batch.app.run.workers import open_workers
from batch.events import DownloadProgressed, Tick
from batch.providers import aiohttp_check
from batch.results.result_line import Keep
from batch.runner import Run
from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.answer_validation import Acceptance
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from batch.app.run.options import RunOptions
    from batch.app.run.request_feed import RequestFeed
    from batch.app.run.run_signals import Signals
    from batch.app.setup.environment import Environment
    from batch.errors import PromptJobsError
    from batch.jobfile.job import JobFile
    from batch.observers import Observers
    from batch.protocols import Provider
    from batch.results.result_log import ResultLog
    from batch.scheduling.retry import Parking


async def send(
    job: JobFile,
    feed: RequestFeed,
    log: ResultLog,
    observers: Observers,
    *,
    environment: Environment,
    options: RunOptions,
    signals: Signals,
    ready: Callable[[], Awaitable[None]],
) -> RunOutcome:
    """Open the endpoints that are needed, await ``ready``, and send the requests of ``feed``.

    Opens nothing if there is nothing to send. An error or a cancellation is part of the outcome and is not
    raised.
    """
    allowance = Allowance(options.limit)
    if not feed.plan.to_send or allowance.used_up:
        return RunOutcome(limits=tuple(filter(None, [allowance.reached])))
    outcome = RunOutcome()
    try:
        addresses = _addresses(job, feed, environment)
        _report_addresses(addresses.values(), observers)
        async with AsyncExitStack() as stack:
            workers = await open_workers(stack, job, environment, options, addresses.values(), observers)
            endpoints = Endpoints(job, environment, stack, partial(_report_download, observers), workers)
            with signals.stoppable(UNSENT):
                providers = by_place(await endpoints.open(addresses), addresses, options)
                if providers and (text := aiohttp_check.notice()):
                    observers.inform(text)
                await ready()
            engine = build_engine(job, feed, allowance, log, providers, observers, options)
            if workers is not None:
                workers.on_error(engine.stop)
            outcome = await engine.run(signals)
            if workers is not None and outcome.must_end_now:
                workers.end_now()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the caller reports it
        outcome = replace(outcome, error=outcome.error or error)
    return outcome


def build_engine(
    job: JobFile,
    feed: RequestFeed,
    allowance: Allowance,
    log: ResultLog,
    providers: Mapping[str, Provider],
    observers: Observers,
    options: RunOptions,
) -> Engine:
    """Wire a run of ``feed`` against open ``providers``. The time limit counts from now."""
    quotas = Quotas(job, [model for model in job.models if feed.plan.to_send[model.id]])
    max_duration = job.limits.time if options.max_duration is None else options.max_duration
    may_choose = feed.may_choose() and options.limit is None
    queues = _queues(job, feed, allowance, quotas, options, max_duration, may_choose=may_choose)
    scheduler = Scheduler(queues, _connections(job, observers))
    run = Run(
        scheduler,
        providers,
        log,
        observers,
        clock=exact_utc_now,
        time=asyncio.get_running_loop().time,
        fail_fast=options.fail_fast,
        growth=feed.growth,
        keep=Keep(reasoning=job.reasoning == "keep", messages="messages" in job.include),
        acceptance=Acceptance(job.on_length, job.retries.max_attempts),
    )
    feed.connect(run.record, observers.inform)
    stopper = Stopper(run, observers, grace=job.timeouts.grace)
    return Engine(run, stopper, scheduler, quotas, allowance, observers, max_duration)


@dataclass(frozen=True, slots=True)
class Engine:
    """One run, wired and ready to send. ``max_duration`` is in seconds."""

    _run: Run
    _stopper: Stopper
    _scheduler: Scheduler
    _quotas: Quotas
    _allowance: Allowance
    _observers: Observers
    _max_duration: float | None

    async def run(self, signals: Signals) -> RunOutcome:
        """Send, until everything is done or a signal, a limit, an error or a cancellation ends the run.

        Call it once.
        """
        stopper, time = self._stopper, asyncio.get_running_loop().time
        error: Exception | asyncio.CancelledError | None = None
        run_start = time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stopper.after_signal)
            if self._max_duration is not None:
                tasks.start_soon(stopper.after, self._max_duration)
            try:
                with signals.redirected_to(stopper.on_signal):
                    await self._run.run()
            except (Exception, asyncio.CancelledError) as caught:  # noqa: BLE001 - a part of the outcome
                error = caught
            finally:
                self._observers.emit(Tick(None))
            tasks.cancel_scope.cancel()
        return RunOutcome(
            parkings=tuple(self._parkings()),
            limits=tuple(self._limits_reached()),
            signal=stopper.signal,
            must_end_now=stopper.has_second_signal,
            checks=self._scheduler.checks,
            held_back=self._run.congestion(time() - run_start),
            spending=self._quotas.spending(),
            error=error,
        )

    def stop(self, error: PromptJobsError) -> None:
        """Stop now, because of an error that is part of the outcome."""
        self._run.stop(error)

    def _parkings(self) -> Iterator[tuple[str, Parking]]:
        """Return the queues that are parked for the rest of the run, and why."""
        for queue in self._scheduler.queues:
            if queue.parking is not None and queue.parking.until is None:
                yield queue.name, queue.parking

    def _limits_reached(self) -> Iterator[str]:
        """Return the limits that ended the run, as text."""
        if self._stopper.out_of_time:
            yield f"limits.time: {self._max_duration:g} s is used up"
        if self._allowance.reached is not None:
            yield self._allowance.reached
        if self._quotas.budget.reached is not None:
            yield self._quotas.budget.reached


def _addresses(job: JobFile, feed: RequestFeed, environment: Environment) -> dict[str, Address]:
    """Return the addresses of all targets that have something to send, by endpoint names."""
    return {
        name: Address(member, environment)
        for model in job.models
        if feed.plan.to_send[model.id]
        for name, member in members(model).items()
    }


def _report_addresses(addresses: Iterable[Address], observers: Observers) -> None:
    """Report each warning and notice about the addresses once."""
    found = list(addresses)
    for warning in dict.fromkeys(text for address in found for text in address.warnings):
        observers.warn(warning)
    for notice in dict.fromkeys(text for address in found for text in address.notices):
        observers.inform(notice)


def _report_download(observers: Observers, done: int, total: int) -> None:
    observers.emit(DownloadProgressed(done, total))


def _connections(job: JobFile, observers: Observers) -> int:
    requested = job.concurrency
    possible = connections(requested)
    if possible < requested:
        observers.inform(
            f"Concurrency limited to {possible} ({requested} requested): open-file limit, see `ulimit -n`."
        )
    return possible


def _queues(
    job: JobFile,
    feed: RequestFeed,
    allowance: Allowance,
    quotas: Quotas,
    options: RunOptions,
    max_duration: float | None,
    *,
    may_choose: bool,
) -> list[TargetQueue]:
    plan = feed.plan
    policy = RetryPolicy(
        job.retries.max_attempts,
        job.retries.base,
        job.retries.cap,
        longest_wait=job.timeouts.outage,
        deadline=None if max_duration is None else asyncio.get_running_loop().time() + max_duration,
        validation_retries=job.retries.validation_retries,
    )
    return [
        TargetQueue(
            model.id,
            feed.requests(model.id, allowance),
            limit=model.concurrency or job.concurrency,
            policy=policy,
            outage=job.timeouts.outage,
            random=random.random,
            admission=quotas.admission(model),
            limiter=AdaptiveLimiter if job.adaptive else FixedLimiter,
            endpoints=endpoint_names(model, options),
            candidates=plan.candidates[model.id] if may_choose else None,
            reference=plan.candidates[model.id].reference,
        )
        for model in job.models
        if plan.to_send[model.id]
    ]
