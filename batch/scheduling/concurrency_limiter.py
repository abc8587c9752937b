"""Interface of the concurrency limit of a working endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Outcome


class Congestion(Struct, frozen=True):
    """Congestion signals have lowered the limit.

    ``code`` is the code of the last one, ``seconds`` the total time for which they have. ``is_present``: the
    limit is below the limit of the job now.
    """

    code: str
    seconds: float
    is_present: bool


class ConcurrencyLimiter(Protocol):
    """The concurrency limit of one endpoint. It sees outcomes and durations, but no requests.

    Only the ``CircuitBreaker`` of the endpoint calls it, and applies a lower bound of its own: one while the
    endpoint is unproven or its circuit is open, few after an outage or when file descriptors run out. All
    times are seconds on one clock. ``slots`` and ``settled`` are called for every attempt.
    """

    @property
    def limit(self) -> int:
        """The limit of the job."""
        ...

    def congestion(self, now: float) -> Congestion | None:
        """Return what has lowered the limit in this run; ``None``: nothing has."""
        ...

    def slots(self, now: float) -> int:
        """Return how many attempts may be in flight now; at least 1."""
        ...

    def sent(self, now: float) -> None:
        """Record that an attempt begins."""
        ...

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Learn from an ended attempt that began at ``started``; ``in_flight`` includes it."""
        ...


class FixedLimiter:
    """A limit that never changes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def congestion(self, now: float) -> Congestion | None:  # noqa: ARG002 - independent of the time
        """Return ``None``: nothing lowers it."""
        return None

    def slots(self, now: float) -> int:  # noqa: ARG002 - independent of the time
        """Return the limit."""
        return self.limit

    def sent(self, now: float) -> None:
        """Do nothing."""

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Do nothing."""
