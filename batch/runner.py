"""The run: one task group, from the scheduler to the providers and through one writer to the sink.

The tasks are the attempts under way, never the rows of a job. A worker that has settled an attempt takes
the next one itself; the dispatcher only starts workers when something has become due.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from batch.errors import InputsChangedError, JobFileError, OutputWriteError, PromptJobsError
from batch.policy import conclude
from batch.policy.accept import ANYTHING
from batch.policy.retry import INVALID_OUTPUT, Fail, Hold, Retry
from batch.policy.standing import Standing, standing
from batch.policy.work import Out
from batch.records import Failure, Mishap, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from batch.policy.accept import Acceptance
    from batch.policy.schedule import Scheduler
    from batch.policy.work import Work
    from batch.ports import Provider, Reporter, Sink
    from batch.records import Outcome, Result

GATHER = 0.05
"""Seconds for which finished results wait for company before they are written."""

BACKLOG = 1000
"""Results that may wait for a slow disk before no new request is sent."""

TICK = 1.0
"""Seconds between two ticks of the reporter."""


class Run:
    """One run of a job, from the first request to the last durable result.

    ``clock`` dates results, in UTC and ISO 8601. ``time`` is the event loop's own, in seconds: anyio looks up
    whose loop it is at every call.
    """

    def __init__(  # noqa: PLR0913 - what may be left out says what a plain run is
        self,
        scheduler: Scheduler,
        providers: Mapping[str, Provider],
        sink: Sink,
        reporter: Reporter,
        *,
        clock: Callable[[], str],
        time: Callable[[], float] = anyio.current_time,
        fail_fast: bool = False,
        keep: conclude.Keep = conclude.KEEP,
        acceptance: Acceptance = ANYTHING,
    ) -> None:
        self._scheduler = scheduler
        self._providers = providers
        self._sink = sink
        self._reporter = reporter
        self._clock = clock
        self._time = time
        self._fail_fast = fail_fast
        self._keep = keep
        self._acceptance = acceptance
        self._attempts: anyio.CancelScope | None = None
        self._finished: list[Result] = []
        self._over = False
        self._error: PromptJobsError | None = None
        self._wake = anyio.Event()
        self._to_write = anyio.Event()
        self._room = anyio.Event()

    async def run(self) -> None:
        """Send what is to be sent. Returns once nothing more can be done and all results are durable.

        Raises ``OutputWriteError``, when what was under way is cancelled, and ``InputsChangedError``, when it
        was finished and written.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_all)
            with anyio.CancelScope() as self._attempts:
                async with anyio.create_task_group() as attempts:
                    await self._dispatch(attempts)
            self._over = True
            self._to_write.set()
        if self._error is not None:
            raise self._error

    def standing(self) -> Standing:
        """How the engine stands now; to be asked while the run goes on."""
        return standing(self._scheduler, self._time())

    def drain(self) -> None:
        """Send nothing more; what is under way may still finish."""
        self._scheduler.drain()
        self._wake.set()

    def cancel(self) -> None:
        """Stop now: what is under way is dropped and stays pending; what has finished is still written."""
        self.drain()
        if self._attempts is not None:
            self._attempts.cancel()

    def record(self, result: Result) -> None:
        """Write the result of a request that needs no attempt."""
        self._finish(result)

    # Attempts

    async def _dispatch(self, attempts: TaskGroup) -> None:
        while True:
            now = self._time()
            self._read_on(now)
            self._start_workers(attempts, now)
            if self._scheduler.over:
                return
            due = self._scheduler.due(now)
            with anyio.move_on_after(min(TICK, (math.inf if due is None else due) - now)):
                await self._wake.wait()
            self._wake = anyio.Event()
            self._reporter.tick()

    def _start_workers(self, attempts: TaskGroup, now: float) -> None:
        while (work := self._take(now)) is not None:
            attempts.start_soon(self._work, work, attempts)

    def _take(self, now: float) -> Work | None:
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
        """Reading a request has failed, such as when a document has gone since the check."""
        self._error = self._error or InputsChangedError(str(error))
        self.drain()

    async def _work(self, first: Work, attempts: TaskGroup) -> None:
        work: Work | None = first
        now = self._time()
        while work is not None:
            started = now
            work.attempts += 1
            self._reporter.sending(work.request)
            outcome = await self._providers[work.endpoint.name].complete(work.to_send)
            for _ in range(outcome.lost):  # tries that a server may have processed, and so charges for
                work.attempts += 1
                self._reporter.sending(work.request)
            if isinstance(outcome, Reply):
                outcome = self._acceptance.judge(work, outcome)
            now = self._time()
            self._settle(work, outcome, started, now)
            if len(self._finished) >= BACKLOG:
                await self._wait_for_room()
                now = self._time()
            work = self._take(now)
            if work is not None:
                self._start_workers(attempts, now)
        self._wake.set()

    def _settle(self, work: Work, outcome: Outcome, started: float, now: float) -> None:
        at = self._clock()
        endpoint = work.endpoint
        was_out = endpoint.out_since is not None
        if isinstance(outcome, Failure):
            self._settle_failure(work, outcome, started, now, at)
        else:
            self._scheduler.settle(work, outcome, now)
            queued = started - work.queued_at
            self._finish(conclude.succeeded(work, outcome, self._keep, queued=queued, at=at))
        if was_out and endpoint.out_since is None and not endpoint.stopped:
            self._reporter.notice(f"{endpoint.name} answers again")

    def _settle_failure(self, work: Work, failure: Failure, started: float, now: float, at: str) -> None:
        work.redacted = work.redacted or failure.redacted
        work.history.append(Mishap(failure.code, failure.message, at))
        if failure.code == INVALID_OUTPUT:
            work.partial_text = failure.partial_text  # the last of whole answers, not the longest
        else:
            work.partial_text = max(work.partial_text, failure.partial_text, key=lambda text: len(text or ""))
        settlement = self._scheduler.settle(work, failure, now)
        retry_in = settlement.at - now if isinstance(settlement, Retry) else None
        self._reporter.failed_attempt(work.request, failure, retry_in)
        if isinstance(settlement, Hold | Out):
            self._reporter.notice(_parked(work.endpoint.name, settlement, now))
        elif isinstance(settlement, Fail):
            before = self._sink.known(work.request.id)
            queued = started - work.queued_at
            self._finish(
                conclude.failed(work, failure, settlement, self._keep, before=before, queued=queued, at=at)
            )
            if self._fail_fast:
                self.drain()

    # Results

    def _finish(self, result: Result) -> None:
        self._finished.append(result)
        self._to_write.set()

    async def _wait_for_room(self) -> None:
        while len(self._finished) >= BACKLOG:
            if self._room.is_set():
                self._room = anyio.Event()
            await self._room.wait()

    async def _write_all(self) -> None:
        try:
            while not (self._over and not self._finished):
                await self._to_write.wait()
                if not self._over:
                    await anyio.sleep(GATHER)
                await self._write()
        except anyio.get_cancelled_exc_class():
            await self._write()
            raise
        except OutputWriteError as error:
            self._error = error
            self.cancel()

    async def _write(self) -> None:
        """Write what has gathered; only a durable result is reported."""
        if not self._over:
            self._to_write = anyio.Event()
        results, self._finished = self._finished, []
        self._room.set()
        if results:
            with anyio.CancelScope(shield=True):
                await self._sink.write(results)
        for result in results:
            self._reporter.finished(result)


def _parked(name: str, stop: Hold | Out, now: float) -> str:
    if isinstance(stop, Out):
        return f"{name} is out, and is probed for {stop.until - now:.0f} s at most: {stop.why}"
    until = "for this run" if stop.until is None else f"for {stop.until - now:.0f} s"
    return f"{name} is parked {until}: {stop.why}"
