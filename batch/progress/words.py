"""Numbers of a run in words, the same on a bar and in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.terminal import escape

if TYPE_CHECKING:
    from batch.policy.standing import Parked, Standing
    from batch.progress.counters import Counters

MOST_PARKED = 3
"""Parked endpoints that are named."""


def engine(standing: Standing | None, counters: Counters) -> list[str]:
    """What is under way, and what has been sent again: ``in flight 3 of 8``, ``retries 5 (2 waiting)``."""
    if standing is None:
        return [f"in flight {counters.in_flight}", f"retries {counters.retries}"]
    waiting = f" ({standing.waiting} waiting)" if standing.waiting else ""
    held_back = " (held back by limits)" if standing.is_limited else ""
    return [
        f"in flight {standing.in_flight} of {standing.allowed}{held_back}",
        f"retries {counters.retries}{waiting}",
    ]


def trouble(standing: Standing | None) -> list[str]:
    """The endpoints that are parked, and why: ``m parked for 30 s: http_429``."""
    parked = () if standing is None else standing.parked
    named = [_parked(each) for each in parked[:MOST_PARKED]]
    more = len(parked) - len(named)
    return [*named, f"{more} more parked"] if more else named


def cost(counters: Counters) -> list[str]:
    """What the results cost, where that is known."""
    return [f"cost {counters.cost:.4g}"] if counters.cost else []


def _parked(parked: Parked) -> str:
    state = "out" if parked.out else "parked"
    until = "for this run" if parked.seconds is None else f"for {parked.seconds:.0f} s"
    return f"{escape(parked.name)} {state} {until}{' at most' if parked.out else ''}: {escape(parked.code)}"
