"""Token buckets: rate limits a minute, and the retry budget.

Servers count a minute in different ways: from a fixed start, over a sliding window, or in parts of a second.
A bucket that held a whole minute's worth would pass twice the limit through a window that sliding or shifted
minutes see. One that holds a second's worth passes the limit and no more through any minute, wherever that
begins, and costs at most a sixtieth of the throughput.

Each request has attempts of its own; here they are bounded together. A reply pays for two retries. What
does not pay for itself goes at a walking pace: so many a second, whatever happens. A retry that nothing
pays for yet waits; it does not fail, and other requests go meanwhile.

So over a run at most two thirds of the attempts are retries, beyond the first ``size`` and those at the
walking pace. Each queue has a budget of its own, so that one endpoint's trouble does not use up another's.
"""

from __future__ import annotations

MINUTE = 60.0

_ROUNDING = 1e-9


class TokenBucket:
    """``per_minute`` units, evenly. Every method takes the time in seconds, which never goes back.

    What is larger than the bucket goes when the bucket is full, and leaves a debt that is filled up first. So
    of amounts of one, never more than ``per_minute`` go in any 60 seconds; of larger ones, never more than
    that and one amount. With a ``capacity`` of its own the bucket holds that much, in addition.
    """

    def __init__(self, per_minute: float, capacity: float | None = None) -> None:
        self.capacity = max(1.0, per_minute / MINUTE) if capacity is None else capacity
        self._rate = (per_minute if capacity is not None else per_minute - self.capacity + 1) / MINUTE
        self._level = self.capacity
        self._at = float("-inf")

    def ready_at(self, amount: float, now: float) -> float:
        """When the amount may go: ``now``, or the time at which there will be enough."""
        self._fill(now)
        missing = min(amount, self.capacity) - self._level
        return now if missing <= self.capacity * _ROUNDING else now + missing / self._rate

    def take(self, amount: float, now: float) -> None:
        """The amount goes, whether there is enough or not."""
        self._fill(now)
        self._level -= amount

    def give_back(self, amount: float, now: float) -> None:
        """What was taken too much; if the amount is negative, what was taken too little."""
        self._fill(now)
        self._level = min(self.capacity, self._level + amount)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self.capacity, self._level + (now - self._at) * self._rate)
            self._at = now


REPLY_PAYS = 2.0
"""Retries that a reply pays for."""

PACE = 10.0
"""Retries a second that nothing has to pay for."""

LEAST_SIZE = 10


class RetryBudget:
    """A bucket of retries that is full at first. ``limit`` is the number of slots: a round of them is its
    size."""

    def __init__(self, limit: int) -> None:
        self._bucket = TokenBucket(PACE * MINUTE, capacity=max(LEAST_SIZE, limit))

    def ready_at(self, now: float) -> float:
        """When the next retry is paid for, if no reply comes before."""
        return self._bucket.ready_at(1, now)

    def spend(self, now: float) -> bool:
        """Whether a retry may go now; if so, it is charged."""
        if self._bucket.ready_at(1, now) > now:
            return False
        self._bucket.take(1, now)
        return True

    def replied(self, now: float) -> None:
        """An attempt of any kind has succeeded."""
        self._bucket.give_back(REPLY_PAYS, now)
