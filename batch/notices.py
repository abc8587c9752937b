"""One-line descriptions of the engine's decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.scheduling.decisions import Blamed, CheckStarted, CircuitClosed, CircuitOpened, Park

if TYPE_CHECKING:
    from batch.scheduling.decisions import Decision

NAMED = 5
"""Requests that a message names; it counts the others."""


def notice_of(decision: Decision, now: float) -> str | None:
    """Return the line, or ``None`` if the user need not know. ``now`` is the engine's time in seconds."""
    if isinstance(decision, Park):
        return _parked(decision, now)
    if isinstance(decision, CircuitOpened):
        seconds = decision.until - now
        return f"{decision.endpoint} is down; it is probed for {seconds:.0f} s at most: {decision.why}"
    if isinstance(decision, CircuitClosed):
        return f"{decision.endpoint} answers again"
    if isinstance(decision, CheckStarted):
        failed = "1 request has" if decision.suspects == 1 else f"{decision.suspects} requests have"
        return (
            f"{decision.endpoint}: {failed} failed; "
            "a request that is known to work is sent to find out whether the endpoint does"
        )
    if isinstance(decision, Blamed):
        ids = [task.request.id for task in decision.tasks]
        more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
        return f"{decision.endpoint} works; failures are charged to: {', '.join(ids[:NAMED])}{more}"
    return None


def _parked(park: Park, now: float) -> str:
    if park.until is not None:
        return f"{park.endpoint} is parked for {park.until - now:.0f} s: {park.why}"
    end = "" if park.why.endswith((".", "!", "?")) else "."
    return f"{park.why}{end} Nothing more is sent to {park.endpoint} in this run."
