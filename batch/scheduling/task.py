"""A request on its way through the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Mishap, Request


class Task(Struct, eq=False):
    """A request on its way.

    ``queue`` is the name of its queue. ``endpoint`` is the name of the one that has its attempt in flight, or
    had the last one. ``sent_at`` is when that began, ``queued``
    how many seconds it had waited by then, ``turn`` its place among what the endpoint was sent. ``revised``
    is sent in place of ``request`` where an answer was not what the job wants. ``failures`` are the codes
    of the attempts that were charged to it; ``attempts`` counts all that were made, ``history`` records
    those that failed, ``partial_text`` is the longest text that one left. ``cost`` is what they have cost,
    ``None`` where that is not known; ``reservation`` is the admission control's own note of what it has
    set aside for the attempt. ``redacted``: a secret was taken out of what one of its attempts brought.

    ``is_cost_unknown`` is set by an attempt of unknown cost, ``has_provider_cost`` by a cost that the
    provider has stated, ``has_computed_cost`` by one that comes from a price (see ``bill``).

    ``refusals`` counts the attempts that were refused because the server had too much to do, the first of
    them at ``refused_since``. ``is_last_chance``: another endpoint of the pool has it, before it fails.

    A check (``is_check``) is an attempt of the run and not of a request: its answer is discarded.
    """

    request: Request
    queue: str
    endpoint: str
    queued_at: float
    queued: float = 0.0
    sent_at: float = 0.0
    turn: int = 0
    failures: list[str] = []
    attempts: int = 0
    history: list[Mishap] = []
    partial_text: str | None = None
    cost: float | None = None
    reservation: Any = None
    revised: Request | None = None
    refusals: int = 0
    refused_since: float | None = None
    is_last_chance: bool = False
    is_check: bool = False
    redacted: bool = False
    is_cost_unknown: bool = False
    has_provider_cost: bool = False
    has_computed_cost: bool = False

    @property
    def to_send(self) -> Request:
        """What the next attempt sends."""
        return self.revised or self.request
