"""Statistics of a run, counted from its events.

Durations are kept in a few numbers and in bounded memory.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from math import ceil, log
from typing import TYPE_CHECKING

from batch.events import AttemptFailed, AttemptStarted, ResultsDurable
from batch.failure_codes import WORKER_LOST
from batch.records import Percentiles

if TYPE_CHECKING:
    from batch.events import Event
    from batch.records import Result, Usage

SHORTEST = 0.001
"""Seconds; shorter durations count as this."""

WIDTH = 1.05
"""The ratio of a bucket's end to its start: a percentile is off by at most half of that, 2.5 %."""

_BUCKETS = 1 / log(WIDTH)
"""Number of buckets in which a duration grows by a factor of e."""

_LAST = 400  # 1 ms x 1.05 ** 400 is three and a half days


class Histogram:
    """Counts durations in buckets whose bounds grow by a constant factor."""

    def __init__(self) -> None:
        self._buckets = [0] * (_LAST + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._buckets[min(int(log(max(seconds, SHORTEST) / SHORTEST) * _BUCKETS), _LAST)] += 1

    def percentiles(self) -> Percentiles | None:
        """Return the 50th, 90th and 99th percentile; ``None`` without durations."""
        if not any(self._buckets):
            return None
        return Percentiles(self._percentile(0.5), self._percentile(0.9), self._percentile(0.99))

    def _percentile(self, share: float) -> float:
        wanted = ceil(share * sum(self._buckets))
        bucket = next(place for place, number in enumerate(accumulate(self._buckets)) if number >= wanted)
        return float(f"{SHORTEST * WIDTH ** (bucket + 0.5):.3g}")


NAMED = 5
"""Failed requests that are listed; the others are counted."""


class Statistics:
    """An observer that counts attempts and durable results."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0
        self.attempts = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.cache_write_tokens = 0
        self.reasoning_tokens = 0
        self.wasted = 0
        self.codes: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.latency = Histogram()
        self.first_byte = Histogram()

    def observe(self, event: Event) -> None:
        """Count the event."""
        if isinstance(event, AttemptStarted):
            self.attempts += 1
        elif isinstance(event, AttemptFailed):
            self.wasted += event.failure.code == WORKER_LOST
        elif isinstance(event, ResultsDurable):
            for result in event.results:
                self._count(result)

    def _count(self, result: Result) -> None:
        if result.error is not None:
            self.failed += 1
            self.codes[result.error.code] += 1
            if len(self.failures) < NAMED:
                self.failures[result.id] = result.error.code
        else:
            self.succeeded += 1
            timings = result.timings
            if timings.total is not None:
                self.latency.add(timings.total)
            if timings.first_byte is not None:
                self.first_byte.add(timings.first_byte)
        if result.usage is not None:
            self._add_tokens(result.usage)

    def _add_tokens(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.cache_write_tokens += usage.cache_write_tokens or 0
        self.reasoning_tokens += usage.reasoning_tokens or 0
