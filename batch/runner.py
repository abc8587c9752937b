"""The run: one task group that takes requests from the scheduler, sends them and writes the results.

The tasks are the attempts in flight, never the rows of a job. A worker that has settled an attempt takes the
next one itself; the dispatcher only starts workers when a request has become due.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import anyio

from batch.cancellation import is_stray
from batch.checking.checker import Checker
from batch.errors import (
    InputsChangedError,
    JobFileError,
    OutputWriteError,
    PromptJobsError,
    one_line,
)
from batch.events import AttemptFailed, AttemptStarted, ResultsDurable, Tick
from batch.failure_codes import INTERNAL_ERROR, INVALID_OUTPUT
from batch.notices import notice_of
from batch.records import Failure, Mishap, Reply
from batch.results import result_line
from batch.results.result_writer import ResultWriter
from batch.scheduling.answer_validation import ANYTHING, Unchecked, uncheckable
from batch.scheduling.decisions import Failed, Park, RetryAt
from batch.scheduling.internal_errors import charged, internal_error, no_outcome
from batch.scheduling.snapshot import congestion, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from batch.events import PlanGrew
    from batch.observers import Observers
    from batch.protocols import Provider, Sink
    from batch.records import Outcome, Result
    from batch.scheduling.answer_validation import Acceptance
    from batch.scheduling.decisions import Decision
    from batch.scheduling.scheduler import Scheduler
    from batch.scheduling.task import Task

TICK = 1.0
"""Seconds between two ``Tick`` events."""


_OUTCOMES = (Reply, Failure)  # a union would be created again at each check


class Run:
    """One run of a job, from the first request to the last durable result.

    ``clock`` returns the time for results, in UTC and ISO 8601. ``time`` returns the event loop's time in
    seconds; pass the loop's own method, because anyio looks up the loop at every call. ``growth`` returns how
    far a job has been read that is read while it runs.
    """

    def __init__(  # noqa: PLR0913 - the defaults define a plain run
        self,
        scheduler: Scheduler,
        providers: Mapping[str, Provider],
        sink: Sink,
        observers: Observers,
        *,
        clock: Callable[[], str],
        time: Callable[[], float] = anyio.current_time,
        fail_fast: bool = False,
        growth: Callable[[], PlanGrew | None] = lambda: None,
        keep: result_line.Keep = result_line.KEEP,
        acceptance: Acceptance = ANYTHING,
    ) -> None:
        self._scheduler = scheduler
        self._providers = providers
        self._sink = sink
        self._observers = observers
        self._emit = observers.emit
        self._writer = ResultWriter(sink, lambda results: observers.emit(ResultsDurable(results)))
        self._ticked_at = -math.inf
        self._clock = clock
        self._time = time
        self._fail_fast = fail_fast
        self._growth = growth
        self._keep = keep
        self._acceptance = acceptance
        self._checker = Checker()
        self._attempts: anyio.CancelScope | None = None
        self._error: PromptJobsError | None = None
        self._wake = anyio.Event()

    async def run(self) -> None:
        """Send all requests. Returns once no request can be sent any more and all results are durable.

        Raises ``OutputWriteError`` after cancelling what was in flight. Raises ``InputsChangedError`` after
        finishing and writing what was in flight.
        """
        async with self._checker, anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            with anyio.CancelScope() as self._attempts:
                async with anyio.create_task_group() as attempts:
                    await self._dispatch(attempts)
            self._writer.end()
        if self._error is not None:
            raise self._error

    def congestion(self, seconds: float) -> str | None:
        """Return the code of the failures that slowed the run for most of its ``seconds``, else ``None``."""
        return congestion(self._scheduler, self._time(), seconds)

    def drain(self) -> None:
        """Send no new requests; those in flight may finish."""
        self._scheduler.drain()
        self._wake.set()

    def cancel(self) -> None:
        """Stop now: cancel requests in flight, which stay pending, and write the finished results."""
        self.drain()
        if self._attempts is not None:
            self._attempts.cancel()

    def stop(self, error: PromptJobsError) -> None:
        """Stop now, as ``cancel`` does. ``run`` raises the error."""
        self._error = self._error or error
        self.cancel()

    def record(self, result: Result) -> None:
        """Write the result of a request that needs no attempt."""
        self._writer.add(result)

    # Attempts

    async def _dispatch(self, attempts: TaskGroup) -> None:
        while True:
            now = self._time()
            self._read_on(now)
            self._start_workers(attempts, now)
            self._carry_out(self._scheduler.review(now), now)
            if self._scheduler.over:
                return
            due = self._scheduler.due(now)
            with anyio.move_on_after(min(TICK, (math.inf if due is None else due) - now)):
                await self._wake.wait()
            self._wake = anyio.Event()
            self._tick()

    def _tick(self) -> None:
        now = self._time()
        if now - self._ticked_at >= TICK:
            self._ticked_at = now
            if (growth := self._growth()) is not None:
                self._emit(growth)
            self._emit(Tick(snapshot(self._scheduler, now)))

    def _start_workers(self, attempts: TaskGroup, now: float) -> None:
        while (task := self._take(now)) is not None:
            attempts.start_soon(self._work, task, attempts)

    def _take(self, now: float) -> Task | None:
        try:
            return self._scheduler.take(now)
        except JobFileError as error:
            self._inputs_changed(error)
            return None

    def _read_on(self, now: float) -> None:
        try:
            self._scheduler.read_on(now)
        except JobFileError as error:
            self._inputs_changed(error)

    def _inputs_changed(self, error: JobFileError) -> None:
        """Stop the run: a request could not be read, for example because a document was removed."""
        self._error = self._error or InputsChangedError(str(error))
        self.drain()

    async def _work(self, first: Task, attempts: TaskGroup) -> None:
        task: Task | None = first
        scheduler, writer = self._scheduler, self._writer
        now = self._time()
        while task is not None:
            started = now
            task.attempts += 1
            self._emit(AttemptStarted(task.request))
            try:
                outcome = await self._providers[task.endpoint].complete(task.to_send)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - providers may be third-party
                outcome = _raised(error)
            if isinstance(outcome, _OUTCOMES) and outcome.lost:
                self._count_lost(task, outcome.lost)
            if not task.is_check or not isinstance(outcome, Reply):
                verdict = self._judged(task, outcome)
                outcome = await self._checked(task, verdict) if isinstance(verdict, Unchecked) else verdict
            now = self._time()
            self._settle(task, outcome, started, now)
            if writer.is_full:
                await writer.wait_for_room()
                now = self._time()
            task = self._take(now)
            if task is not None and scheduler.in_flight < scheduler.limit:
                self._start_workers(attempts, now)
        self._wake.set()

    def _count_lost(self, task: Task, lost: int) -> None:
        """Count lost tries as attempts: the server may have processed and charged them."""
        for _ in range(lost):
            task.attempts += 1
            self._emit(AttemptStarted(task.request))

    def _judged(self, task: Task, outcome: object) -> Outcome | Unchecked:
        if isinstance(outcome, Failure):
            if outcome.code == INTERNAL_ERROR:
                outcome = charged(outcome, task.failures)
            return self._acceptance.judge(task, outcome)
        if not (isinstance(outcome, Reply) and isinstance(outcome.text, str)):
            return charged(no_outcome(outcome), task.failures)
        try:
            return self._acceptance.judge(task, outcome)
        except Exception as error:  # noqa: BLE001 - jsonschema itself fails on some schemas
            return uncheckable(outcome, f"checking the answer failed: {one_line(error)}")

    async def _checked(self, task: Task, answer: Unchecked) -> Outcome:
        try:
            checked = await self._checker.check(answer.reply.text, answer.response_format)
            return self._acceptance.conclude(task, answer.reply, checked)
        except Exception as error:  # noqa: BLE001 - for example if memory for the check is missing
            return uncheckable(answer.reply, f"checking the answer failed: {one_line(error)}")

    def _settle(self, task: Task, outcome: Outcome, started: float, now: float) -> None:
        at = self._clock()
        task.queued = started - task.queued_at
        if isinstance(outcome, Failure):
            _note(task, outcome, at)
        decisions = self._scheduler.settle(task, outcome, now)
        if isinstance(outcome, Reply):
            if not task.is_check:
                self._writer.add(result_line.succeeded(task, outcome, self._keep, at=at))
        elif not task.is_check:
            retries = (each.at - now for each in decisions if isinstance(each, RetryAt) and each.task is task)
            self._emit(AttemptFailed(task.request, outcome, next(retries, None)))
        if decisions:
            self._carry_out(decisions, now)

    def _carry_out(self, decisions: list[Decision], now: float) -> None:
        for decision in decisions:
            if isinstance(decision, Failed):
                self._fail(decision)
            elif not self._is_reason_of_the_end(decision) and (message := notice_of(decision, now)):
                self._observers.inform(message)

    def _is_reason_of_the_end(self, decision: Decision) -> bool:
        """Whether the decision ends the run, so that the summary gives the same reason in a moment."""
        return (
            isinstance(decision, Park)
            and self._scheduler.over
            and any(queue.parking and queue.parking.why == decision.why for queue in self._scheduler.queues)
        )

    def _fail(self, decision: Failed) -> None:
        task = decision.task
        before = self._sink.known(task.request.id)
        self._writer.add(
            result_line.failed(
                task, decision.failure, decision.verdict, self._keep, before=before, at=self._clock()
            )
        )
        if self._fail_fast:
            self.drain()

    # Results

    async def _write(self) -> None:
        try:
            await self._writer.run()
        except OutputWriteError as error:
            self.stop(error)


def _note(task: Task, failure: Failure, at: str) -> None:
    """Record a failed attempt in the task."""
    task.redacted = task.redacted or failure.redacted
    task.history.append(Mishap(failure.code, failure.message, at))
    if failure.code == INVALID_OUTPUT:
        task.partial_text = failure.partial_text  # the last of whole answers, not the longest
    else:
        task.partial_text = max(task.partial_text, failure.partial_text, key=lambda text: len(text or ""))


def _raised(error: Exception | asyncio.CancelledError) -> Failure:
    """Return the failure of an attempt whose provider raised. A cancellation of the run is re-raised."""
    if isinstance(error, asyncio.CancelledError) and not is_stray():
        raise error
    return internal_error(error)
