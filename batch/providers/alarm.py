"""Ending a wait when its deadlines are over, at the cost of one timer and not of one timer a read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from batch.providers.deadlines import Deadlines


class Alarm:
    """Rings, once, when its deadlines are over while it is set. ``has_rung`` says that it did.

    Deadlines mostly move away, with every read, and then the timer stays: it is set anew when it goes off.
    Only where they move nearer must somebody tell, by ``moved``.
    """

    __slots__ = ("_at", "_deadlines", "_loop", "_ring", "_timer", "has_rung")

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self._loop = loop
        self._deadlines = deadlines
        self._ring: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf
        self.has_rung = False

    def set(self, ring: Callable[[], None]) -> None:
        """Watch the deadlines from now on, and call ``ring`` when they are over."""
        self._ring = ring
        self._look()

    def drop(self) -> None:
        """Watch them no more, and hold nobody: whoever is rung for mostly holds the alarm."""
        self._ring = None
        self._stop()

    def moved(self) -> None:
        """The deadlines may have moved nearer, while the alarm was set."""
        if self._deadlines.due < self._at and self._ring is not None:
            self._look()

    def _look(self) -> None:
        self._stop()
        due, ring = self._deadlines.due, self._ring
        if ring is not None and self._loop.time() >= due:
            self.has_rung = True
            ring()
        elif due < math.inf:
            self._at = due
            self._timer = self._loop.call_at(due, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
