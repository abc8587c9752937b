"""What a run comes to, counted from its events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from batch.app.run.histogram import Histogram
from batch.events import AttemptStarted, ResultsDurable

if TYPE_CHECKING:
    from batch.events import Event
    from batch.records import Result, Usage


NAMED = 5
"""Failed requests that are named; the others are counted."""


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
        self.codes: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.latency = Histogram()
        self.first_byte = Histogram()

    def observe(self, event: Event) -> None:
        """Count what the event says."""
        if isinstance(event, AttemptStarted):
            self.attempts += 1
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
