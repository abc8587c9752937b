"""A request on its way through a lane, and what may become of it after an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from batch.policy.retry import Fail, Hold, Retry

if TYPE_CHECKING:
    from batch.policy.health import Health
    from batch.policy.lane import Lane
    from batch.records import Mishap, Request


class Work(Struct, eq=False):
    """A request on its way.

    ``endpoint`` has its attempt under way, or had the last one; ``sent_at`` is when that began.
    ``redacted``: a secret was taken out of what one of its attempts brought.
    ``revised`` is sent in place of ``request`` where an answer was not what the job wants.
    ``failures`` are the codes of the attempts that were charged to it; ``attempts`` counts all that were
    made, ``history`` tells of those that failed, ``partial_text`` is the longest text that one left.
    ``cost`` is what they have cost, ``None`` where that is not known; ``reservation`` is the gate's own note
    of what it has set aside for the attempt.
    """

    request: Request
    lane: Lane
    endpoint: Health
    queued_at: float
    sent_at: float = 0.0
    failures: list[str] = []
    attempts: int = 0
    history: list[Mishap] = []
    partial_text: str | None = None
    cost: float | None = None
    reservation: Any = None
    revised: Request | None = None
    redacted: bool = False

    @property
    def to_send(self) -> Request:
        """What the next attempt sends."""
        return self.revised or self.request


class Again(Struct, frozen=True):
    """The request goes back to its lane, uncharged: the endpoint was to blame."""


class Out(Struct, frozen=True):
    """The endpoint is out from now on; it is probed until it answers, or until ``until``."""

    code: str
    why: str
    until: float


Settlement: TypeAlias = Retry | Fail | Hold | Out | Again | None
"""What becomes of a request after an attempt; ``None`` where it has its reply."""
