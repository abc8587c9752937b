"""The state of a request in the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Mishap, Request


class Task(Struct, eq=False):
    """A request in the engine.

    ``queue`` is the name of its queue, ``endpoint`` the name of the endpoint of its current or last attempt.
    ``sent_at`` is when that attempt began, ``queued`` the seconds that it had waited by then, ``turn`` its
    position among the sends of the endpoint. ``to_send`` is what the next attempt sends: the request,
    or a revision of it after an answer that did not meet the requirements of the job.

    ``failures`` are the codes of the attempts that were charged to it. ``attempts`` counts all attempts,
    ``history`` records the failed ones, ``partial_text`` is their longest text. ``cost`` is the cost of all
    attempts, ``None`` if unknown. ``reservation`` is the admission control's record of what it has reserved.
    ``redacted``: a secret was removed from a response to one of its attempts.

    ``is_cost_unknown`` is set by an attempt of unknown cost, ``has_provider_cost`` by a cost that the
    provider reported, ``has_computed_cost`` by a cost computed from a price (see ``bill``).

    ``refusals`` counts the attempts that an overloaded server refused, the first of them at
    ``refused_since``. ``is_last_chance``: another endpoint of the pool tries it before it fails.

    A check (``is_check``) is an attempt of the run and not of a request: its answer is discarded.
    """

    request: Request
    to_send: Request
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
    refusals: int = 0
    refused_since: float | None = None
    is_last_chance: bool = False
    is_check: bool = False
    redacted: bool = False
    is_cost_unknown: bool = False
    has_provider_cost: bool = False
    has_computed_cost: bool = False
