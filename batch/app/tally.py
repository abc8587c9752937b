"""Counting what a run comes to, on the way to whoever reports it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from batch.app.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.options import RunReporter
    from batch.app.plan import Plan
    from batch.records import Failure, Request, Result, Timings, Usage


NAMED = 5
"""Failed requests that are named; the others are counted."""


class Tally:
    """A ``Reporter`` that counts durable results and passes everything on, to one that raises nothing."""

    raises_nothing = True

    def __init__(self, reporter: RunReporter) -> None:
        self._reporter = reporter
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
        self._plan: Plan | None = None
        self._found: Callable[[int, int], None] | None = None

    def watch(self, plan: Plan, found: Callable[[int, int], None]) -> None:
        """Tell at every tick how many requests a plan that grows has in all, and how many need nothing."""
        self._plan, self._found = plan, found

    def sending(self, request: Request) -> None:
        """An attempt begins."""
        self.attempts += 1
        self._reporter.sending(request)

    def finished(self, result: Result) -> None:
        """A result is durable."""
        if result.error is not None:
            self.failed += 1
            self.codes[result.error.code] += 1
            if len(self.failures) < NAMED:
                self.failures[result.id] = result.error.code
        else:
            self.succeeded += 1
            self._time(result.timings)
        if result.usage is not None:
            self._tokens(result.usage)
        self._reporter.finished(result)

    def _tokens(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        self.cache_write_tokens += usage.cache_write_tokens or 0
        self.reasoning_tokens += usage.reasoning_tokens or 0

    def _time(self, timings: Timings) -> None:
        if timings.total is not None:
            self.latency.add(timings.total)
        if timings.first_byte is not None:
            self.first_byte.add(timings.first_byte)

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """An attempt failed."""
        self._reporter.failed_attempt(request, failure, retry_in)

    def notice(self, message: str) -> None:
        """How an endpoint fares. Nobody has to know unless something comes of it, of which the run tells."""
        self._reporter.remark(message)

    def tick(self) -> None:
        """About a second has passed."""
        if self._plan is not None and self._found is not None:
            self._found(self._plan.total, self._plan.settled)
        self._reporter.tick()
