"""When a side of an exchange acts: once a round of the event loop, and when something is due."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Calls ``flush`` once after a round of the event loop that asked for it, and ``ring`` when it is due.

    The times are those of ``clock``. ``ring`` is called ``catch_up`` seconds late, with the time at which it
    was due: what has arrived by then is read in between.
    """

    def __init__(
        self,
        flush: Callable[[], None],
        ring: Callable[[float], None],
        clock: Callable[[], float],
        catch_up: float = 0.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._flush = flush
        self._ring = ring
        self._clock = clock
        self._catch_up = catch_up
        self._will_flush = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def flush_soon(self) -> None:
        """Flush after all that happens in this round of the loop."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush_now)

    def ring_at(self, due: float) -> None:
        """Ring then, unless the alarm is set to an earlier time."""
        if due >= self._timer_at:
            return
        self.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(0.0, due - self._clock()), self._look)

    def cancel(self) -> None:
        """Do not ring any more, until the alarm is set again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _flush_now(self) -> None:
        self._will_flush = False
        self._flush()

    def _look(self) -> None:
        self._timer_at = -math.inf
        self._timer = self._loop.call_later(self._catch_up, self._ring_now, self._clock())

    def _ring_now(self, looked_at: float) -> None:
        self._timer, self._timer_at = None, math.inf
        self._ring(looked_at)
