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
    """A bucket of ``per_minute`` units, refilled evenly. Times are in seconds and never decrease.

    An amount larger than the bucket is admitted when the bucket is full, and leaves a debt that is refilled
    first. So for amounts of one, at most ``per_minute`` are admitted in any 60 seconds; for larger ones, at
    most that and one amount. A ``capacity`` of its own is added to that: the bucket then holds so many units.
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

    def refund(self, amount: float, now: float) -> None:
        """Return units that were taken in excess; a negative amount takes more."""
        if amount < 0:  # else it makes no difference which is added first: both are capped
            self._fill(now)
        self._level = min(self.capacity, self._level + amount)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self.capacity, self._level + (now - self._at) * self._rate)
            self._at = now


REPLY_PAYS = 2.0
"""Number of retries that a reply pays for."""

PACE = 10.0
"""Number of retries per second that need no payment."""

MIN_SIZE = 10


class RetryBudget:
    """A bucket of retries that is full at first. Its size is ``limit``, the number of slots."""

    def __init__(self, limit: int) -> None:
        self._bucket = TokenBucket(PACE * MINUTE, capacity=max(MIN_SIZE, limit))

    def ready_at(self, now: float) -> float:
        """Return when the next retry is paid for, if no reply arrives before."""
        return self._bucket.ready_at(1, now)

    def spend(self, now: float) -> bool:
        """Charge a retry if it may be sent now; return whether it may."""
        if self._bucket.ready_at(1, now) > now:
            return False
        self._bucket.take(1, now)
        return True

    def replied(self, now: float) -> None:
        """Record an attempt that has succeeded."""
        self._bucket.refund(REPLY_PAYS, now)
