"""A limit per minute as a token bucket that holds no more than a second's worth of it.

Servers count a minute in different ways: from a fixed start, over a sliding window, or in parts of a second.
A bucket that held a whole minute's worth would pass twice the limit through a window that sliding or shifted
minutes see. One that holds a second's worth passes the limit and no more through any minute, wherever that
begins, and costs at most a sixtieth of the throughput.
"""

from __future__ import annotations

MINUTE = 60.0

_ROUNDING = 1e-9


class Bucket:
    """``per_minute`` units, evenly. Every method takes the time in seconds, which never goes back.

    What is larger than the bucket goes when the bucket is full, and leaves a debt that is filled up first. So
    of amounts of one, never more than ``per_minute`` go in any 60 seconds; of larger ones, never more than
    that and one amount.
    """

    def __init__(self, per_minute: float) -> None:
        self.capacity = max(1.0, per_minute / MINUTE)
        self._rate = (per_minute - self.capacity + 1) / MINUTE
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
