"""Token buckets: rate limits per minute, and the retry budget.

Servers count a minute in different ways: from a fixed start, over a sliding window, or in parts of a second.
A bucket with the size of a whole minute would admit twice the limit in a sliding or shifted minute. A bucket
with the size of a second admits no more than the limit in any minute, and costs at most a sixtieth of the
throughput.

Each request has a limit on its attempts; the retry budget bounds all retries together. A reply pays for two
retries. Unpaid retries are sent at a fixed low rate per second. A retry that is not paid for yet waits; it
does not fail, and other requests are sent meanwhile.

So over a run at most two thirds of the attempts are retries, beyond the first ``size`` and those at the fixed
rate. Each queue has a budget of its own, so that failures of one endpoint do not use up another's budget.
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
        """Return when the amount is admitted: ``now``, or the time at which there will be enough."""
        self._fill(now)
        missing = min(amount, self.capacity) - self._level
        return now if missing <= self.capacity * _ROUNDING else now + missing / self._rate

    def take(self, amount: float, now: float) -> None:
        """Take the amount, even if there is not enough."""
        self._fill(now)
        self._level -= amount

    def give_back(self, amount: float, now: float) -> None:
        """Return units that were taken in excess; a negative amount takes more."""
        self._fill(now)
        self._level = min(self.capacity, self._level + amount)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self.capacity, self._level + (now - self._at) * self._rate)
            self._at = now


REPLY_PAYS = 2.0
"""Number of retries that a reply pays for."""

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
