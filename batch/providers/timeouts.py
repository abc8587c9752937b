"""The limits of an attempt (connect, first byte, idle, finish, total), kept with one timer for all.

Only what the model says feeds the clocks: a comment, a ping or a byte now and then does not. Waiting for a
slot or for a rate limit happens before an attempt begins, and counts against none of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Timeouts(Struct, frozen=True):
    """Limits in seconds; ``None`` is no limit.

    ``finish`` is how long a finished answer may go on without ``[DONE]`` or the end of its body, and an error
    without the end of its message: both are as good as whole.
    """

    connect: float | None = 10.0
    first_byte: float | None = 300.0
    idle: float | None = 120.0
    total: float | None = None
    finish: float = 1.0


class Deadlines:
    """Which limit applies now, and when it is over (``due``, infinite where there is none)."""

    __slots__ = ("_phase", "_phase_due", "_started", "_timeouts", "_total_due", "due", "first_byte")

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts = timeouts
        self._started = now
        self._total_due = math.inf if timeouts.total is None else now + timeouts.total
        self.first_byte: float | None = None
        self._enter("connect", timeouts.connect, now)

    def connected(self, now: float) -> None:
        """The connection stands; the request goes out."""
        if self._phase == "connect":
            self._enter("first_byte", self._timeouts.first_byte, now)

    def said(self, now: float) -> None:
        """The model has said something."""
        if self.first_byte is None:
            self.first_byte = now - self._started
        self._enter("idle", self._timeouts.idle, now)

    def finished(self, now: float) -> None:
        """The server has finished its answer, but not yet the body."""
        if self._phase != "finish":
            self._enter("finish", self._timeouts.finish, now)

    def paused(self, seconds: float) -> None:
        """Add the seconds in which nothing was read: the time of a slow reader is not the server's."""
        self._total_due += seconds
        self._phase_due += seconds
        self.due += seconds

    def expired(self, now: float) -> tuple[str, str]:
        """Code and message of the limit that is over."""
        if self._total_due <= now and self._total_due <= self._phase_due:
            return "total_timeout", f"not finished within {_seconds(self._timeouts.total)} (timeouts.total)"
        limit = {
            "connect": ("connect", "no connection", self._timeouts.connect),
            "first_byte": ("first_byte_timeout", "nothing was said", self._timeouts.first_byte),
            "idle": ("idle_timeout", "nothing more was said", self._timeouts.idle),
            "finish": ("truncated", "the body did not end", self._timeouts.finish),
        }
        code, what, seconds = limit[self._phase]
        return code, f"{what} within {_seconds(seconds)} (timeouts.{self._phase})"

    def _enter(self, phase: str, seconds: float | None, now: float) -> None:
        self._phase = phase
        self._phase_due = due = math.inf if seconds is None else now + seconds
        self.due = due if due < self._total_due else self._total_due


def _seconds(value: float | None) -> str:
    return f"{value:g} s"


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
