"""The timeouts of an attempt (connect, first byte, idle, finish, total), watched by one timer.

Only model output resets the timeouts; comments, pings and single bytes do not. Waiting for a slot or for a
rate limit happens before an attempt begins, and does not count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Timeouts(Struct, frozen=True):
    """Timeouts in seconds; ``None`` for no timeout.

    ``finish`` limits how long a finished answer may continue without ``[DONE]`` or the end of its body, and
    an error without the end of its message: both count as complete after that.
    """

    connect: float | None = 10.0
    first_byte: float | None = 300.0
    idle: float | None = 120.0
    total: float | None = None
    finish: float = 1.0


class Deadlines:
    """The timeout that applies now, and when it expires (``due``, infinite without a timeout)."""

    __slots__ = ("_phase", "_phase_due", "_started", "_timeouts", "_total_due", "due", "first_byte")

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts = timeouts
        self._started = now
        self._total_due = math.inf if timeouts.total is None else now + timeouts.total
        self.first_byte: float | None = None
        self._enter("connect", timeouts.connect, now)

    def connected(self, now: float) -> None:
        """Record that the connection is open and the request is sent."""
        if self._phase == "connect":
            self._enter("first_byte", self._timeouts.first_byte, now)

    def received(self, now: float) -> None:
        """Record model output."""
        if self.first_byte is None:
            self.first_byte = now - self._started
        self._enter("idle", self._timeouts.idle, now)

    def finished(self, now: float) -> None:
        """Record that the answer is finished, but not the body."""
        if self._phase != "finish":
            self._enter("finish", self._timeouts.finish, now)

    def paused(self, seconds: float) -> None:
        """Extend the deadline by seconds without reads: a slow consumer must not count against the server."""
        self._total_due += seconds
        self._phase_due += seconds
        self.due += seconds

    def expired(self, now: float) -> tuple[str, str]:
        """Return the code and the message of the expired timeout."""
        if self._total_due <= now and self._total_due <= self._phase_due:
            return "total_timeout", f"not finished within {_seconds(self._timeouts.total)} (timeouts.total)"
        limit = {
            "connect": ("connect", "no connection", self._timeouts.connect),
            "first_byte": ("first_byte_timeout", "no model output", self._timeouts.first_byte),
            "idle": ("idle_timeout", "no further model output", self._timeouts.idle),
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
"""Delay of a timer, in seconds, that shows that this process or its machine was suspended."""

CATCH_UP = 0.25
"""Seconds to read data that arrived meanwhile, before deadlines are checked again."""


class Watch:
    """The active alarms, on one timer.

    After the process was suspended (``SIGSTOP``, a suspended machine, a busy loop), many deadlines have
    expired at once, although received data may be unread. It is read first.

    Most deadlines move later with every read, and most attempts end long before theirs. So the timer is not
    moved: when it fires, all alarms are checked, and it is set for the one that is due next.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._alarms: set[Alarm] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def add(self, alarm: Alarm) -> None:
        """Start watching an alarm."""
        self._alarms.add(alarm)
        self.look_by(alarm.due)

    def remove(self, alarm: Alarm) -> None:
        """Stop watching an alarm."""
        self._alarms.discard(alarm)

    def look_by(self, due: float) -> None:
        """Check all alarms by ``due``, in the loop's time; immediately if that is past."""
        if due >= self._at:
            return
        self.close()
        if due <= self.loop.time():
            self._look()
        else:
            self._at, self._timer = due, self.loop.call_at(due, self._look)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf

    def _look(self) -> None:
        due, now = self._at, self.loop.time()
        self._timer, self._at = None, math.inf
        if now - due >= LATE:
            self._at, self._timer = now, self.loop.call_later(CATCH_UP, self._look)
            return
        for alarm in [each for each in self._alarms if each.due <= now]:
            alarm.ring()
        self.look_by(min((each.due for each in self._alarms), default=math.inf))


class Alarm(Struct, eq=False):
    """Rings once when its deadlines expire while it is set. ``has_rung``: it has rung.

    Only if the deadlines move earlier, ``moved`` has to be called.
    """

    _watch: Watch
    _deadlines: Deadlines
    _then: Callable[[], None] | None = None
    has_rung: bool = False

    @property
    def due(self) -> float:
        """The time at which it rings, in the loop's time."""
        return self._deadlines.due

    def set(self, then: Callable[[], None]) -> None:
        """Start watching the deadlines, and call ``then`` when they expire."""
        self._then = then
        self._watch.add(self)

    def drop(self) -> None:
        """Stop watching, and release the callback, whose object usually refers to this alarm."""
        self._then = None
        self._watch.remove(self)

    def connected(self) -> None:
        """Record that the connection is open and the request is sent."""
        self._deadlines.connected(self._watch.loop.time())
        self.moved()

    def moved(self) -> None:
        """Check again: the deadlines may have moved earlier while the alarm was set."""
        if self._then is not None:
            self._watch.look_by(self._deadlines.due)

    def ring(self) -> None:
        """Ring: the deadlines have expired."""
        then = self._then
        self.drop()
        self.has_rung = True
        if then is not None:
            then()
