"""How many requests an endpoint may have in flight, where it works at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Outcome


class Congestion(Struct, frozen=True):
    """Congestion signals have lowered the limit.

    ``code`` is that of the last one, ``seconds`` for how long they have in all. ``is_present`` says whether
    the limit is below the job's now.
    """

    code: str
    seconds: float
    is_present: bool


class ConcurrencyLimiter(Protocol):
    """The slots of one endpoint. It sees outcomes and durations, and nothing of requests.

    Only its endpoint's ``CircuitBreaker`` asks it, and puts a ceiling of its own on the answer: one while the
    endpoint is unproven or its circuit is open, few after an outage or when descriptors run out. All times
    are seconds on one clock. ``slots`` and ``settled`` are called for every attempt.
    """

    @property
    def limit(self) -> int:
        """The job's own bound."""
        ...

    def congestion(self, now: float) -> Congestion | None:
        """What has lowered the limit in this run; ``None``: nothing has."""
        ...

    def slots(self, now: float) -> int:
        """Attempts that may be under way now; at least 1."""
        ...

    def sent(self, now: float) -> None:
        """An attempt begins."""
        ...

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """An attempt that began at ``started`` has ended; ``in_flight`` were under way, itself included."""
        ...


class FixedLimiter:
    """Always as many as the user has said."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def congestion(self, now: float) -> Congestion | None:  # noqa: ARG002 - it does not look
        """Nothing lowers it."""
        return None

    def slots(self, now: float) -> int:  # noqa: ARG002 - the same at any time
        """The limit."""
        return self.limit

    def sent(self, now: float) -> None:
        """Nothing to learn."""

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        """Nothing to learn."""
