"""Ending a wait when its deadlines are over, at the cost of one timer for all that wait."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from batch.providers.deadlines import Deadlines


LATE = 1.0
"""Seconds after which a timer that goes off says that this process, or its machine, stood still."""

CATCH_UP = 0.25
"""Seconds in which what has arrived meanwhile is read, before deadlines are judged again."""


class Watch:
    """The alarms that are set, on one timer.

    After the process has stood still (``SIGSTOP``, a suspended machine, a busy loop), many deadlines are over
    at once, though what the servers sent may wait to be read. It is read first.

    Deadlines mostly move away, with every read, and most attempts end long before theirs. So the timer stays
    where it is: when it goes off, all are looked at, and it is set for the one that is due next.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._alarms: set[Alarm] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def add(self, alarm: Alarm) -> None:
        """Watch an alarm, from now on."""
        self._alarms.add(alarm)
        self.look_by(alarm.due)

    def remove(self, alarm: Alarm) -> None:
        """Watch it no more."""
        self._alarms.discard(alarm)

    def look_by(self, due: float) -> None:
        """Look at all alarms then, in the loop's time, if not before; at once where that is past."""
        if due >= self._at:
            return
        self.close()
        if due <= self._loop.time():
            self._look()
        else:
            self._at, self._timer = due, self._loop.call_at(due, self._look)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf

    def _look(self) -> None:
        due, now = self._at, self._loop.time()
        self._timer, self._at = None, math.inf
        if now - due >= LATE:
            self._at, self._timer = now, self._loop.call_later(CATCH_UP, self._look)
            return
        for alarm in [each for each in self._alarms if each.due <= now]:
            alarm.ring()
        self.look_by(min((each.due for each in self._alarms), default=math.inf))


class Alarm(Struct, eq=False):
    """Rings, once, when its deadlines are over while it is set. ``has_rung`` says that it did.

    Only where the deadlines move nearer must somebody tell, by ``moved``.
    """

    _watch: Watch
    _deadlines: Deadlines
    _then: Callable[[], None] | None = None
    has_rung: bool = False

    @property
    def due(self) -> float:
        """When it rings, in the loop's time."""
        return self._deadlines.due

    def set(self, then: Callable[[], None]) -> None:
        """Watch the deadlines from now on, and call ``then`` when they are over."""
        self._then = then
        self._watch.add(self)

    def drop(self) -> None:
        """Watch them no more, and hold nobody: whoever is called mostly holds the alarm."""
        self._then = None
        self._watch.remove(self)

    def moved(self) -> None:
        """The deadlines may have moved nearer, while the alarm was set."""
        if self._then is not None:
            self._watch.look_by(self._deadlines.due)

    def ring(self) -> None:
        """They are over."""
        then = self._then
        self.drop()
        self.has_rung = True
        if then is not None:
            then()
