"""How many of a lane's attempts may be retries, so that trouble is not met by a storm.

Each request has attempts of its own; here they are bounded together. A reply pays for two retries. What
does not pay for itself goes at a walking pace: so many a second, whatever happens. A retry that nothing
pays for yet waits; it does not fail, and other requests go meanwhile.

So over a run at most two thirds of the attempts are retries, beyond the first ``size`` and those at the
walking pace. Each lane has a budget of its own, so that one endpoint's trouble does not use up another's.
"""

from __future__ import annotations

REPLY_PAYS = 2.0
"""Retries that a reply pays for."""

PACE = 10.0
"""Retries a second that nothing has to pay for."""

LEAST_SIZE = 10

WHOLE = 1 - 1e-9
"""A token, as far as sums of times are exact: what is missing may be too little to move a clock."""


class RetryBudget:
    """A token bucket that is full at first. ``limit`` is the number of slots: a round of them is its size."""

    def __init__(self, limit: int) -> None:
        self._size = float(max(LEAST_SIZE, limit))
        self._tokens = self._size
        self._at = 0.0

    def ready_at(self, now: float) -> float:
        """When the next retry is paid for, if no reply comes before."""
        self._refill(now)
        return now if self._tokens >= WHOLE else now + (1 - self._tokens) / PACE

    def spend(self, now: float) -> bool:
        """Whether a retry may go now; if so, it is charged."""
        self._refill(now)
        if self._tokens < WHOLE:
            return False
        self._tokens -= 1
        return True

    def replied(self) -> None:
        """An attempt of any kind has succeeded."""
        if self._tokens < self._size:
            self._tokens = min(self._size, self._tokens + REPLY_PAYS)

    def _refill(self, now: float) -> None:
        if self._tokens < self._size:
            self._tokens = min(self._size, self._tokens + (now - self._at) * PACE)
        self._at = now
