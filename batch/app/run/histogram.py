"""A histogram of durations in bounded memory, precise enough for percentiles."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from math import ceil
from operator import sub

from batch.run_summary import Percentiles

SHORTEST = 0.001
"""Seconds; shorter durations count as this."""

WIDTH = 1.05
"""The ratio of a bucket's end to its start: a percentile is off by at most half of that, 2.5 %."""

_LAST = 400  # 1 ms x 1.05 ** 400 is three and a half days
_BOUNDS = [SHORTEST * WIDTH**place for place in range(1, _LAST + 1)]


class Histogram:
    """Counts durations in buckets whose bounds grow by a constant factor. Takes 1.6 kB."""

    __slots__ = ("_buckets",)

    def __init__(self, buckets: array[int] | None = None) -> None:
        self._buckets = array("I", bytes(4 * (_LAST + 1))) if buckets is None else buckets

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._buckets[bisect_right(_BOUNDS, seconds)] += 1

    def copy(self) -> Histogram:
        """Return a histogram of the same durations."""
        return Histogram(self._buckets[:])

    def __sub__(self, earlier: Histogram) -> Histogram:
        """Return a histogram of the durations that were added since the ``earlier`` copy."""
        return Histogram(array("I", map(sub, self._buckets, earlier._buckets)))

    def percentiles(self) -> Percentiles | None:
        """Return the 50th, 90th and 99th percentile; ``None`` without durations."""
        if not any(self._buckets):
            return None
        return Percentiles(self._percentile(0.5), self._percentile(0.9), self._percentile(0.99))

    def _percentile(self, share: float) -> float:
        wanted = ceil(share * sum(self._buckets))
        bucket = next(place for place, number in enumerate(accumulate(self._buckets)) if number >= wanted)
        return float(f"{SHORTEST * WIDTH ** (bucket + 0.5):.3g}")
