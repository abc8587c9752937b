"""The driver's side of an exchange in which the driver calls and the worker answers."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from batch.executors.frames import decode_up, encode
from batch.executors.polled_worker import POLL
from batch.executors.protocol import CATCH_UP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch.executors.protocol import DriverSide

PACE = 0.02
"""Seconds between two calls, in which what there is to send collects."""

OVERDUE = POLL + 1.0
"""Seconds after which a call may be lost, so that there is another one."""

RETRY = 0.5
"""Seconds between two calls that fail."""


class CallError(Exception):
    """A call was lost. The worker may have handled it."""


class WorkerGoneError(Exception):
    """The worker answers no more calls. ``is_proven``: its process has ended, and sends nothing more."""

    def __init__(self, how: str, *, is_proven: bool = False) -> None:
        self.how = how
        self.is_proven = is_proven
        super().__init__(how)


class PolledLink:
    """The exchange with one worker. ``call`` raises ``CallError`` or ``WorkerGoneError``.

    ``settle`` is called with each attempt and its outcome. ``has_settled``: there was one. ``how`` is how the
    worker was lost, if that is known.
    """

    def __init__(
        self,
        call: Callable[[bytes], Awaitable[bytes]],
        side: DriverSide,
        settle: Callable[[int, bytes], None],
        clock: Callable[[], float],
    ) -> None:
        self.has_settled = False
        self.how = "no answer within its lease"
        self._is_proven = False
        self._call = call
        self._side = side
        self._settle = settle
        self._clock = clock
        self._calls: set[asyncio.Task[None]] = set()
        self._called_at = -math.inf
        self._woken = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Number of attempts in flight."""
        return len(self._side.attempts)

    def issue(self, attempt: int, payload: bytes) -> None:
        """Send an attempt to the worker."""
        self._side.issue(attempt, payload, self._clock())
        self._woken.set()

    def cancel(self, attempt: int) -> None:
        """Abandon an attempt."""
        self._side.cancel(attempt)
        self._woken.set()

    async def run(self) -> None:
        """Exchange frames until the worker is cut off."""
        try:
            while not self._side.is_cut:
                self._woken.clear()
                self._call_if_due()
                await asyncio.sleep(PACE)
                await self._judge()
                await self._sleep(min(self._side.due, self._called_at + OVERDUE))
        except asyncio.CancelledError:
            self._forget_calls()
            raise

    async def fenced(self) -> list[int]:
        """Wait until the worker, which is cut off, can send nothing more; return what it has not settled."""
        try:
            while self._side.attempts and not self._is_proven and self._clock() < self._side.fenced_at:
                self._woken.clear()
                await self._sleep(self._side.fenced_at)
        finally:
            self._forget_calls()
        return self._side.lose()

    def _forget_calls(self) -> None:
        for task in self._calls:
            task.cancel()

    def _call_if_due(self) -> None:
        now = self._clock()
        must_call = not self._calls or now >= self._called_at + OVERDUE
        frame = self._side.frame(now, polled=must_call)
        if frame is not None:
            self._called_at = now
            task = asyncio.create_task(self._exchange(encode(frame)))
            self._calls.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._woken.set()

    async def _exchange(self, message: bytes) -> None:
        try:
            answer = await self._call(message)
        except CallError:
            await asyncio.sleep(RETRY)
        except WorkerGoneError as error:
            self._is_proven |= error.is_proven
            if not self._side.is_cut:  # else it was killed because of that
                self.how = error.how
                self._side.cut()
        else:
            self._receive(answer)

    def _receive(self, answer: bytes) -> None:
        self.has_settled |= self._side.settle(decode_up(answer), self._clock(), self._settle)

    async def _judge(self) -> None:
        """Judge the worker a moment later: what has arrived may not be read yet."""
        looked_at = self._clock()
        if self._side.judged_at <= looked_at:
            await asyncio.sleep(CATCH_UP)
            self._side.judge(looked_at)

    async def _sleep(self, until: float) -> None:
        """Sleep until then, or until something happens."""
        seconds = until - self._clock()
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(min(seconds, OVERDUE)):
                await self._woken.wait()
        except TimeoutError:
            pass
