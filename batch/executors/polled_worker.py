"""The worker's side of an exchange in which the driver calls and the worker answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batch.executors.alarm import Alarm
from batch.executors.attempts import Attempts
from batch.executors.frames import decode_down, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.executors.protocol import WorkerSide
    from batch.protocols import Provider

POLL = 2.0
"""Seconds that a call waits for something to report."""

_UNCALLED = 0.1
"""Seconds between two looks at what is due, while no call waits that could take it."""


class PolledWorker:
    """Executes attempts. A call waits until there is something to report, or until the next call.

    Each call brings a frame and each answer is one, so each is a sign of life, and renews the lease.
    """

    def __init__(self, side: WorkerSide, endpoints: Sequence[Provider], clock: Callable[[], float]) -> None:
        self._side = side
        self._clock = clock
        self._attempts = Attempts(endpoints, self._done)
        self._alarm = Alarm(self._flush, self._tick, clock)
        self._waiting: asyncio.Future[None] | None = None

    async def exchange(self, message: bytes) -> bytes:
        """Handle a frame, and return one. Raises ``VersionError`` and ``msgspec.DecodeError``."""
        self._attempts.carry_out(self._side.receive(decode_down(message), self._clock()))
        self._answer()  # the call before this one
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        self._alarm.flush_soon()
        try:
            async with asyncio.timeout(POLL):
                await waiting
        except TimeoutError:
            pass
        finally:
            if self._waiting is waiting:
                self._waiting = None
        frame = self._side.frame(self._clock(), polled=True)
        assert frame is not None  # noqa: S101 - as it is polled
        self._alarm.flush_soon()
        return encode(frame)

    def _done(self, attempt: int, outcome: bytes) -> None:
        self._side.done(attempt, outcome)  # ignored if the attempt was abandoned
        self._alarm.flush_soon()

    def _tick(self, _: float) -> None:
        """Abandon attempts whose lease has ended, also if the driver does not call."""
        self._attempts.carry_out(self._side.tick(self._clock()))
        self._flush()

    def _flush(self) -> None:
        now = self._clock()
        if self._side.due <= now and self._waiting is not None:
            self._answer()
        else:
            self._alarm.ring_at(max(self._side.due, now + _UNCALLED))

    def _answer(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        self._waiting = None
