"""Statistics of a run, counted from its events, in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from batch.app.run.histogram import Histogram
from batch.events import AttemptFailed, AttemptStarted, ResultsDurable
from batch.results.progress_file import RecentFailure

if TYPE_CHECKING:
    from batch.events import Event
    from batch.records import Result, ResultError, Usage

NAMED = 5
"""Failed requests that are listed; the others are counted."""


MAX_MESSAGE = 300
"""Characters that are kept of the message of a failure."""


class Statistics:
    """An observer that counts attempts and durable results.

    ``codes`` counts failed results by error code, ``failed_attempts`` failed attempts, and ``retries`` those
    of them that are retried. ``failures`` are the first failed requests with their codes, ``latest_failures``
    the latest ones. ``cost`` is the sum of the known costs of results, and ``priced`` counts these.
    """

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0
        self.attempts = 0
        self.retries = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.cache_write_tokens = 0
        self.reasoning_tokens = 0
        self.cost = 0.0
        self.priced = 0
        self.codes: Counter[str] = Counter()
        self.failed_attempts: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.latest_failures: deque[RecentFailure] = deque(maxlen=NAMED)
        self.latency = Histogram()
        self.first_byte = Histogram()

    def observe(self, event: Event) -> None:
        """Count the event."""
        if isinstance(event, AttemptStarted):
            self.attempts += 1
        elif isinstance(event, ResultsDurable):
            for result in event.results:
                self._count(result)
        elif isinstance(event, AttemptFailed):
            self.failed_attempts[event.failure.code] += 1
            self.retries += event.retry_in is not None

    def _count(self, result: Result) -> None:
        if result.error is not None:
            self._count_failure(result, result.error)
        else:
            self.succeeded += 1
            timings = result.timings
            if timings.total is not None:
                self.latency.add(timings.total)
            if timings.first_byte is not None:
                self.first_byte.add(timings.first_byte)
        if result.usage is not None:
            self._add_tokens(result.usage)
        if result.cost is not None:
            self.cost += result.cost
            self.priced += 1

    def _count_failure(self, result: Result, error: ResultError) -> None:
        self.failed += 1
        self.codes[error.code] += 1
        if len(self.failures) < NAMED:
            self.failures[result.id] = error.code
        latest = RecentFailure(result.id, error.code, error.message[:MAX_MESSAGE], result.completed_at)
        self.latest_failures.append(latest)

    def _add_tokens(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.cache_write_tokens += usage.cache_write_tokens or 0
        self.reasoning_tokens += usage.reasoning_tokens or 0
