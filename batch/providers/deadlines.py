"""The limits of an attempt: connect, first byte, idle, finish, total. It never asks the time.

Only what the model says feeds the clocks: a comment, a ping or a byte now and then does not. Waiting for a
slot or for a rate limit happens before an attempt begins, and counts against none of them.
"""

from __future__ import annotations

import math

from msgspec import Struct


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
        """Nobody was reading for so long: the time of a slow reader is not the server's."""
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
