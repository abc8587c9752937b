"""How many requests an endpoint can take at once, found by asking. ``docs/concurrency.md`` has the rules.

Words: the *width* is how many slots there are; a *round* is as many replies as that; a *sign* is a failure
that fewer requests at once would have spared; the *ceiling* is the width that was too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.policy.retry import shows_overload
from batch.records import Reply

if TYPE_CHECKING:
    from batch.records import Outcome

START = 16
"""Slots at the start, where the limit allows: a short job should not have to wait for the slow start."""

MARGIN = 0.95
"""What a cut leaves of the ceiling, and where growth stops below it."""

DEEP = 0.7
"""What a cut leaves where the last one has hardly helped."""

UNHARMED = 10
"""Requests sent since the last cut, from which on it has helped."""

HALF = 0.5
"""What the signs of one round trip leave, at the least."""

REST = 10
"""Replies, at the least, before a ceiling is tried again."""

MOST_RESTS = 8
"""How many times as long a rest becomes, when the same ceiling is met again and again."""

NOISE = 0.015
"""The share of requests that may meet a sign for other reasons than the width."""

NOISE_SLOTS = 64
"""How many slots there must be for each sign that is taken for noise: a narrow lane can't tell."""


class AdaptiveCapacity:
    """The slots of one endpoint, by what it can take; ``limit`` is the user's bound."""

    __slots__ = (
        "_ceiling",
        "_credit",
        "_cut_at",
        "_floor",
        "_hold",
        "_limit",
        "_replies",
        "_rest",
        "_rests",
        "_sent",
        "_sent_before",
        "_width",
    )

    def __init__(self, limit: int, *, start: int = START) -> None:
        self._limit = limit
        self._width = float(min(start, limit))
        self._ceiling = self._hold = 0.0  # 0: none has been met
        self._floor = 1.0
        self._cut_at = float("-inf")
        self._replies = 0  # to requests sent since the last cut
        self._rest = 0.0  # that many replies until the ceiling is tried again
        self._rests = 1
        self._sent = 0  # since the last cut
        self._sent_before = 0  # of these, before the last sign
        self._credit = 0.0  # signs that may still be noise

    def slots(self, now: float) -> int:  # noqa: ARG002 - time alone changes nothing
        """How many may be under way."""
        return int(self._width)

    def sent(self, now: float) -> None:  # noqa: ARG002
        """An attempt begins."""
        self._sent += 1

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Learn from an attempt that began at ``started``; ``in_flight`` were under way, itself included."""
        if isinstance(outcome, Reply):
            if started > self._cut_at:
                self._replies += 1
                if self._width < self._limit and in_flight >= int(self._width):
                    self._grow()
        elif shows_overload(outcome):
            if started > self._cut_at:
                self._sign(now, min(in_flight, self._width))
            elif self._replies < self._ceiling:
                self._cut_further()

    def _grow(self) -> None:
        """Widen by one reply's part of a round: to the hold, and after a rest beyond it."""
        width, hold = self._width, self._hold
        if width < hold:
            self._width = min(hold, width + min(1.0, max(1.0, (hold - width) / 2) / width))
        elif self._replies >= self._rest:
            self._width = min(self._limit, width + min(1.0, max(1.0, width - hold) / width))

    def _sign(self, now: float, tried: float) -> None:
        """So many at once were too much, unless it is noise."""
        quiet, self._sent_before = self._sent - self._sent_before, self._sent
        self._credit = min(self._credit + NOISE * quiet, self._width / NOISE_SLOTS) - 1
        if self._credit < 0:
            self._cut(now, tried)

    def _cut(self, now: float, tried: float) -> None:
        # one alone could not have been fewer: that says nothing of whether two are too many
        known = tried > 1 and self._hold < self._width <= self._ceiling * 1.1 + 1
        self._rests = min(MOST_RESTS, self._rests * 2) if known else 1
        self._cut_at = now
        self._floor = max(1.0, tried * HALF)
        self._width = max(1.0, tried * (MARGIN if self._sent >= UNHARMED else DEEP))
        self._replies = self._sent = self._sent_before = 0
        self._credit = 0.0
        self._remember(tried)

    def _cut_further(self) -> None:
        """One more refusal in the round trip of the last cut: there was one slot less than was thought."""
        self._remember(max(self._floor, self._ceiling - 1))
        self._width = max(self._floor, min(self._width, self._ceiling - 1))

    def _remember(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._hold = MARGIN * ceiling
        self._rest = max(REST, self._hold) * self._rests
