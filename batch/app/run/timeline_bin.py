"""The content of one bin of a timeline: the counts at its end, and sums of samples."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from batch.app.run.histogram import Histogram

if TYPE_CHECKING:
    from batch.app.run.run_statistics import Statistics
    from batch.events import EndpointLoad, Snapshot


class Counts(Struct, frozen=True):
    """What was counted until some time; the difference of two is what was counted between them."""

    succeeded: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)
    failed_attempts: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    first_byte: Histogram = field(default_factory=Histogram)

    @classmethod
    def until_now(cls, statistics: Statistics) -> Counts:
        """Return what a run has counted so far, as a copy."""
        return cls(
            statistics.succeeded,
            statistics.attempts,
            statistics.prompt_tokens,
            statistics.completion_tokens,
            statistics.cost,
            statistics.codes.copy(),
            statistics.failed_attempts.copy(),
            statistics.latency.copy(),
            statistics.first_byte.copy(),
        )

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            self.succeeded - earlier.succeeded,
            self.attempts - earlier.attempts,
            self.prompt_tokens - earlier.prompt_tokens,
            self.completion_tokens - earlier.completion_tokens,
            self.cost - earlier.cost,
            self.failed - earlier.failed,
            self.failed_attempts - earlier.failed_attempts,
            self.latency - earlier.latency,
            self.first_byte - earlier.first_byte,
        )


class Samples(Struct, frozen=True):
    """Sums over ``number`` samples."""

    number: int = 0
    in_flight: int = 0
    limit: int = 0

    @classmethod
    def of(cls, load: EndpointLoad) -> Samples:
        """Return one sample of an endpoint."""
        return cls(1, load.in_flight, load.limit)

    def __add__(self, other: Samples) -> Samples:
        return Samples(self.number + other.number, self.in_flight + other.in_flight, self.limit + other.limit)

    def mean(self, total: int) -> float | None:
        """Return the mean of a sum over these samples; ``None`` without a sample."""
        return round(total / self.number, 2) if self.number else None


NO_SAMPLES = Samples()


class Bin(Struct):
    """One bin. ``counts`` are those of the run until its end.

    ``waiting`` is the sum of the waiting retries over the samples of the ``run``.
    """

    counts: Counts
    run: Samples = NO_SAMPLES
    waiting: int = 0
    endpoints: dict[str, Samples] = field(default_factory=dict)

    def sample(self, snapshot: Snapshot, endpoints: int) -> None:
        """Add a sample of the engine, with its first ``endpoints`` endpoints."""
        self.run += Samples(1, snapshot.in_flight, snapshot.allowed)
        self.waiting += snapshot.waiting
        for load in snapshot.endpoints[:endpoints]:
            self._add(load.name, Samples.of(load))

    def merge(self, other: Bin) -> None:
        """Add the content of the next bin."""
        self.counts = other.counts
        self.run += other.run
        self.waiting += other.waiting
        for name, samples in other.endpoints.items():
            self._add(name, samples)

    def _add(self, name: str, samples: Samples) -> None:
        self.endpoints[name] = self.endpoints.get(name, NO_SAMPLES) + samples
