"""What one run sends: its endpoints, queues and limits wired together, and why it ended."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from batch.app.run.endpoints import Address, Endpoints, members
from batch.app.run.open_file_limit import connections
from batch.app.run.pending_requests import Allowance
from batch.app.run.quotas import Quotas
from batch.app.run.shutdown import UNSENT, Stopper
from batch.app.run.summary import SummaryBuilder
from batch.app.run.timestamps import exact_utc_now
from batch.app.run.totals import Replaced, totals
from batch.errors import PromptJobsError
from batch.events import DownloadProgressed, ResultsDurable, Tick
from batch.exit_codes import exit_code
from batch.providers import aiohttp_check
from batch.results.result_line import Keep, stored
from batch.runner import Run
from batch.scheduling.answer_validation import Acceptance
from batch.scheduling.concurrency import AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.resume import State
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from batch.app.run.options import RunOptions
    from batch.app.run.plan import Plan
    from batch.app.run.request_feed import RequestFeed
    from batch.app.run.run_statistics import Statistics
    from batch.app.run.shutdown import Signals
    from batch.app.run.summary import Beginning
    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile
    from batch.observers import Observers
    from batch.protocols import Provider
    from batch.records import Result, Summary
    from batch.results.result_log import ResultLog
    from batch.scheduling.retry import Parking


class Session:
    """What one run has sent, and why it ended."""

    def __init__(
        self,
        job: JobFile,
        environment: Environment,
        observers: Observers,
        statistics: Statistics,
        options: RunOptions,
        signals: Signals,
    ) -> None:
        self._job = job
        self._environment = environment
        self._observers = observers
        self._options = options
        self._signals = signals
        self._statistics = statistics
        self._allowance = Allowance(options.limit)
        self._parkings: list[tuple[str, Parking]] = []
        self._quotas = Quotas(job, ())
        self._checks = 0
        self._signal: int | None = None
        self._out_of_time = False
        self.told_twice = False
        """Whether a second signal has asked the run to end now."""
        self._held_back: str | None = None
        self._replaced: Replaced | None = None

    def count_from(self, log: ResultLog) -> None:
        """Count the lines of the log that results replace from now on."""
        self._replaced = Replaced(log.contents.index)

    async def write(self, log: ResultLog, results: Sequence[Result]) -> None:
        """Write results that need no run."""
        self._observers.emit(ResultsDurable(await stored(log, results)))

    @property
    def has_sent(self) -> bool:
        """Whether anything has been sent."""
        return self._statistics.attempts > 0

    async def send(
        self,
        feed: RequestFeed,
        log: ResultLog,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        """Open the endpoints that are needed, call ``ready``, and run the requests against them."""
        job = self._job
        models = [model for model in job.models if feed.plan.to_send[model.id]]
        self._quotas = Quotas(job, models)
        addresses = {
            name: Address(member, self._environment)
            for model in models
            for name, member in members(model).items()
        }
        self._tell_of(addresses.values())
        async with AsyncExitStack() as stack:
            endpoints = Endpoints(job, self._environment, stack, self._report_download)
            with self._signals.stoppable(UNSENT):
                providers = await endpoints.open(addresses)
                self._tell_of_slow_transport(providers)
                await ready()
            scheduler = Scheduler(self._queues(feed), self._connections())
            await self._run(scheduler, providers, log, feed)
        self._checks = scheduler.checks
        self._parkings = [
            (queue.name, queue.parking)
            for queue in scheduler.queues
            if queue.parking is not None and queue.parking.until is None
        ]

    def _report_download(self, done: int, total: int) -> None:
        self._observers.emit(DownloadProgressed(done, total))

    def _tell_of(self, addresses: Iterable[Address]) -> None:
        """Say once what a person should know of the addresses."""
        told = list(addresses)
        for warning in dict.fromkeys(text for address in told for text in address.warnings):
            self._observers.warn(warning)
        for remark in dict.fromkeys(text for address in told for text in address.remarks):
            self._observers.inform(remark)

    def _tell_of_slow_transport(self, providers: Collection[str]) -> None:
        if providers and (text := aiohttp_check.notice()):
            self._observers.inform(text)

    def _connections(self) -> int:
        wished = self._job.concurrency
        possible = connections(wished)
        if possible < wished:
            self._observers.inform(
                f"Concurrency limited to {possible} ({wished} requested): open-file limit, see `ulimit -n`."
            )
        return possible

    def _queues(self, feed: RequestFeed) -> list[TargetQueue]:
        job, quotas, plan = self._job, self._quotas, feed.plan
        may_choose = feed.may_choose() and self._options.limit is None
        duration = self._max_duration
        policy = RetryPolicy(
            job.retries.max_attempts,
            job.retries.base,
            job.retries.cap,
            longest_wait=job.timeouts.outage,
            deadline=None if duration is None else asyncio.get_running_loop().time() + duration,
            validation_retries=job.retries.validation_retries,
        )
        return [
            TargetQueue(
                model.id,
                feed.requests(model.id, self._allowance),
                limit=model.concurrency or job.concurrency,
                policy=policy,
                outage=job.timeouts.outage,
                random=random.random,
                admission=quotas.admission(model),
                limiter=AdaptiveLimiter if job.adaptive else FixedLimiter,
                endpoints=tuple(members(model)),
                candidates=plan.candidates[model.id] if may_choose else None,
                reference=plan.candidates[model.id].reference,
            )
            for model in job.models
            if plan.to_send[model.id]
        ]

    async def _run(
        self,
        scheduler: Scheduler,
        providers: Mapping[str, Provider],
        log: ResultLog,
        feed: RequestFeed,
    ) -> None:
        run = Run(
            scheduler,
            providers,
            log,
            self._observers,
            clock=exact_utc_now,
            time=asyncio.get_running_loop().time,
            fail_fast=self._options.fail_fast,
            growth=feed.growth,
            keep=Keep(reasoning=self._job.reasoning == "keep", messages="messages" in self._job.include),
            acceptance=Acceptance(self._job.on_length, self._job.retries.max_attempts),
        )
        feed.connect(run.record, self._observers.inform)
        stopper = Stopper(run, self._observers, grace=self._job.timeouts.grace)
        error: PromptJobsError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stopper.after_signal)
            if self._max_duration is not None:
                tasks.start_soon(stopper.after, self._max_duration)
            begun = asyncio.get_running_loop().time()
            try:
                with self._signals.obeyed(stopper.on_signal):
                    await run.run()
            except PromptJobsError as caught:
                error = caught  # raised outside the task group, which would wrap it in a group
            finally:
                self._observers.emit(Tick(None))
                self._signal, self._out_of_time = stopper.signal, stopper.out_of_time
                self.told_twice = stopper.told_twice
                self._held_back = run.congestion(asyncio.get_running_loop().time() - begun)
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    @property
    def _max_duration(self) -> float | None:
        """For how long the run may send, in seconds; what the caller says goes before the job file."""
        wished = self._options.max_duration
        return self._job.limits.time if wished is None else wished

    def _limits_reached(self) -> list[str]:
        """The limits that ended the run, in words."""
        reasons = []
        if self._out_of_time:
            reasons.append(f"limits.time: {self._max_duration:g} s are over")
        if self._allowance.used_up:
            reasons.append(f"--limit: {self._options.limit} requests were sent")
        if self._quotas.budget.reached is not None:
            reasons.append(self._quotas.budget.reached)
        return reasons

    def _stops(self) -> list[str]:
        """Who has stopped the run, in words."""
        reasons = []
        if self._signal is not None:
            reasons.append(f"{signal.Signals(self._signal).name}: the run was told to stop")
        if self._options.fail_fast and self._statistics.failed:
            reasons.append("--fail-fast: a request has failed")
        return reasons

    def summary(
        self, plan: Plan, begun: Beginning, orphans: int, error: PromptJobsError | None = None
    ) -> Summary:
        """What it came to; ``error`` is what ended it early."""
        counts = totals(plan, self._statistics, self._replaced)
        unselected = plan.left_out[State.NEW] + plan.left_out[State.CHANGED]
        pending = plan.to_do - self._statistics.succeeded - self._statistics.failed
        limits = self._limits_reached() if pending else []
        limits += [f"pending requests that were not selected: {unselected}"] if unselected else []
        reasons = [f"{name}: {parking.code}: {parking.why}" for name, parking in self._parkings] + limits
        reasons += self._stops() if pending else []
        is_partial = plan.changes.is_partial
        if pending or is_partial:
            reasons += plan.changes.reasons()
        if pending and not reasons and error is None:
            reasons.append(f"{pending} requests have not been sent; run it again")
        code = exit_code(
            failed=counts.failed > 0,
            parkings=[parking for _, parking in self._parkings],
            out_of_budget=bool(limits),
            signal=self._signal,
            error=None if error is None else error.exit_code,
            pending=bool(pending or unselected or is_partial),
        )
        if error is not None:
            reasons = [*reasons, str(error)]
        builder = SummaryBuilder(
            self._job, plan, self._statistics, self._quotas, self._checks, self._held_back, self._replaced
        )
        return builder.summary(begun, exit_code=code, reasons=reasons, orphans=orphans)
