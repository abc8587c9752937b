"""What an endpoint says of its own rate limit, kept to: better than finding out by refusals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.records import Rate

LONGEST = 60.0
"""Seconds that an endpoint can close itself for in this way; one that wants more will refuse what comes."""

LATE = 0.25
"""Seconds that are waited beyond what it says, which may be rounded."""


class ServerRateLimit:
    """The rate of one endpoint. ``closed_until`` is when it lets more through.

    A report counts what was left as the server took a request. Reports come in any order: the lowest since
    the last reset has counted all that has been answered, and what is under way may not be in it. After a
    reset there is the most that any report has told, until the first new one.
    """

    __slots__ = ("_is_guess", "_left", "_lowest", "_most", "_resets_at", "closed_until")

    def __init__(self) -> None:
        self.closed_until = -math.inf
        self._most = 0  # as long as nothing is told, nothing is kept
        self._lowest = self._left = 0
        self._resets_at = -math.inf
        self._is_guess = True

    def sent(self, now: float) -> None:
        """An attempt begins."""
        if not self._most:
            return
        if now >= self._resets_at:
            self._left, self._resets_at, self._is_guess = self._most, now + LONGEST, True
        self._left -= 1
        self._close_or_open()

    def told(self, rate: Rate, *, now: float, in_flight: int) -> None:
        """An attempt has ended with a report; ``in_flight`` were under way, itself included."""
        if not 0 < rate.seconds <= LONGEST:
            return
        resets_at = now + rate.seconds + LATE
        if self._is_guess or now >= self._resets_at:
            self._lowest, self._resets_at, self._is_guess = rate.remaining, resets_at, False
        self._lowest = min(self._lowest, rate.remaining)
        self._resets_at = max(self._resets_at, resets_at)
        self._left = self._lowest - (in_flight - 1)
        self._most = max(self._most, rate.remaining + 1)
        self._close_or_open()

    def _close_or_open(self) -> None:
        self.closed_until = self._resets_at if self._left <= 0 else -math.inf
