"""The rate limit that an endpoint reports, observed in advance to avoid refusals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.records import Rate

LONGEST = 60.0
"""Maximum seconds that a report can close an endpoint; one that needs longer refuses requests."""

LATE = 0.25
"""Seconds to wait beyond the reported time, which may be rounded."""


class ServerRateLimit:
    """The rate limit of one endpoint. ``closed_until`` is when it accepts more requests.

    A report has the remaining requests when the server accepted a request. Reports arrive in any order. The
    lowest since the last reset includes all answered requests, but may not include those in flight. After a
    reset, the maximum of all reports is assumed, until the first new report.
    """

    __slots__ = ("_is_guess", "_left", "_lowest", "_most", "_resets_at", "closed_until")

    def __init__(self) -> None:
        self.closed_until = -math.inf
        self._most = 0  # without reports there is no limit
        self._lowest = self._left = 0
        self._resets_at = -math.inf
        self._is_guess = True

    def sent(self, now: float) -> None:
        """Record that an attempt begins."""
        if not self._most:
            return
        if now >= self._resets_at:
            self._left, self._resets_at, self._is_guess = self._most, now + LONGEST, True
        self._left -= 1
        self._close_or_open()

    def report(self, rate: Rate, *, now: float, in_flight: int) -> None:
        """Record the report of an ended attempt; ``in_flight`` includes it."""
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
