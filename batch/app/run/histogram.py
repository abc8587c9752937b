"""How long things took, in a handful of numbers and in bounded memory."""

from __future__ import annotations

from itertools import accumulate
from math import ceil, log

from batch.records import Percentiles

SHORTEST = 0.001
"""Seconds; what is shorter counts as this."""

WIDTH = 1.05
"""Each bucket's end over its beginning: a percentile is off by at most half of that, 2.5 %."""

_BUCKETS = 1 / log(WIDTH)
"""How many there are until a duration has grown by a factor of e."""

_LAST = 400  # 1 ms x 1.05 ** 400 is three and a half days


class Histogram:
    """Counts durations in buckets whose ends grow by a constant factor."""

    def __init__(self) -> None:
        self._buckets = [0] * (_LAST + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._buckets[min(int(log(max(seconds, SHORTEST) / SHORTEST) * _BUCKETS), _LAST)] += 1

    def percentiles(self) -> Percentiles | None:
        """The durations that half, nine tenths and 99 hundredths stay within; ``None`` without any."""
        if not any(self._buckets):
            return None
        return Percentiles(self._percentile(0.5), self._percentile(0.9), self._percentile(0.99))

    def _percentile(self, share: float) -> float:
        wanted = ceil(share * sum(self._buckets))
        bucket = next(place for place, number in enumerate(accumulate(self._buckets)) if number >= wanted)
        return float(f"{SHORTEST * WIDTH ** (bucket + 0.5):.3g}")
