"""Ending a wait when its deadlines are over, at the cost of one timer and not of one timer a read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from batch.providers.deadlines import Deadlines


class Alarm:
    """Calls ``ring``, once, when its deadlines are over while it is set. ``has_rung`` says that it did.

    Deadlines mostly move away, with every read, and then the timer stays: it is set anew when it goes off.
    Only where they move nearer must somebody tell, by ``moved``.
    """

    __slots__ = ("_at", "_deadlines", "_loop", "_ring", "_timer", "has_rung")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines, ring: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._deadlines = deadlines
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf
        self.has_rung = False

    def set(self) -> None:
        """Watch the deadlines from now on."""
        self.drop()
        due = self._deadlines.due
        if self._loop.time() >= due:
            self.has_rung = True
            self._ring()
        elif due < math.inf:
            self._at = due
            self._timer = self._loop.call_at(due, self.set)

    def drop(self) -> None:
        """Watch them no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf

    def moved(self) -> None:
        """The deadlines may have moved nearer, while the alarm was set."""
        if self._deadlines.due < self._at:
            self.set()
