"""The counts of a run so far; time is an argument."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.records import Failure, Request, Result

WINDOW = 60
"""Samples from which a rate is computed; they are at least a second apart."""


class Counters:
    """Requests and attempts, counted as they are reported.

    ``tokens`` are those of replies, ``cost`` is that of results. Unless ``is_whole``, the ``total`` is only
    what has been read of the job by now.
    """

    def __init__(self) -> None:
        self.total = 0
        self.is_whole = True
        self.done = 0
        self.sent = 0
        self.retries = 0
        self.tokens = 0
        self.cost = 0.0
        self.failed: Counter[str] = Counter()
        self._already = 0
        self._in_flight: set[str] = set()

    @property
    def in_flight(self) -> int:
        """Attempts in flight, and replies that are being written."""
        return len(self._in_flight)

    def seconds_left(self, rate: float) -> float | None:
        """Return the seconds until all is done at so many requests a second; ``None`` if that is unknown."""
        left = self.total - self.done
        if not self.is_whole or (left and not rate):
            return None
        return left / rate if left else 0.0

    def start(self, total: int, already: int, *, is_whole: bool = True) -> None:
        """The job has ``total`` requests; ``already`` of them need nothing more."""
        self.total, self.done, self._already = total, already, already
        self.is_whole = is_whole

    def found(self, total: int, already: int, *, is_whole: bool = False) -> None:
        """Update the total, for a job that is read while it runs."""
        self.total, self.is_whole = total, is_whole
        self.done += already - self._already
        self._already = already

    def sending(self, request: Request) -> None:
        """Count the start of an attempt."""
        self.sent += 1
        self._in_flight.add(request.id)

    def finished(self, results: Sequence[Result]) -> None:
        """Count durable results."""
        self.done += len(results)
        for result in results:
            self._in_flight.discard(result.id)
            if result.error is not None:
                self.failed[result.error.code] += 1
            if result.cost is not None:
                self.cost += result.cost
            if result.usage is not None:
                self.tokens += result.usage.completion_tokens or 0

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """Count a failed attempt."""
        self._in_flight.discard(request.id)
        self.retries += retry_in is not None
        if failure.usage is not None and retry_in is not None:
            self.tokens += failure.usage.completion_tokens or 0


class Speed:
    """Requests and tokens per second over the last minute or so, in bounded memory."""

    def __init__(self, now: float, counters: Counters) -> None:
        self._samples = deque([(now, counters.done, counters.tokens)], maxlen=WINDOW)

    def sample(self, now: float, counters: Counters) -> tuple[float, float]:
        """Return requests and tokens per second until ``now``, in monotonic seconds; 0 at the start."""
        then, done, tokens = self._samples[0]
        if now - self._samples[-1][0] >= 1:
            self._samples.append((now, counters.done, counters.tokens))
        if now <= then:
            return 0.0, 0.0
        return (counters.done - done) / (now - then), (counters.tokens - tokens) / (now - then)
