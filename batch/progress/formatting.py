"""The numbers of a run as text, the same on a bar and in a line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from batch.amounts import short_amount
from batch.events import UNPROVEN
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from batch.events import HeldBack, Parked, Snapshot
    from batch.progress.counters import Counters

MAX_PARKED = 3
"""Parked endpoints that are listed."""


def line(counters: Counters, snapshot: Snapshot | None, speed: tuple[float, float]) -> str:
    """Return all numbers in one line; ``speed`` is in requests and tokens per second."""
    requests, _ = speed
    parts = [
        f"{counters.done}/{counters.total} done" if counters.is_whole else f"{counters.done} done",
        f"failed {counters.failed.total()}",
        *engine(snapshot, counters),
        rates(speed),
        *cost(counters),
        *([f"ETA {eta(counters.seconds_left(requests))}"] if counters.is_whole else []),
        *failure_counts(snapshot),
    ]
    return ", ".join(parts)


def rates(speed: tuple[float, float]) -> str:
    """Return a speed in requests and tokens per second as text."""
    requests, tokens = speed
    return f"{requests * 60:.1f} requests/min, {tokens:.0f} tokens/s"


def eta(seconds: float | None) -> str:
    """Return a time that is left as text."""
    return "unknown" if seconds is None else str(timedelta(seconds=round(seconds)))


def engine(snapshot: Snapshot | None, counters: Counters) -> list[str]:
    """Return what is in flight, its limit, and the retries: ``in flight 3 of 8: held back by 429s``."""
    if snapshot is None:
        return [f"in flight {counters.in_flight}", f"retries {counters.retries}"]
    waiting = f" ({snapshot.waiting} waiting)" if snapshot.waiting else ""
    return [
        f"in flight {snapshot.in_flight} of {_bound(snapshot)}",
        f"retries {counters.retries}{waiting}",
    ]


def held_back(snapshot: Snapshot | None) -> list[str]:
    """Say why fewer requests are in flight than the job allows; empty where that is not so."""
    if snapshot is None:
        return []
    if snapshot.is_limited:
        return ["held back by limits"]
    return [] if snapshot.held_back is None else [_why(snapshot.held_back)]


def congestion(code: str) -> str:
    """Return the plural of a failure code that congestion causes: ``429s``, ``idle timeouts``."""
    return f"{escape(code).removeprefix('http_').replace('_', ' ')}s"


def failure_counts(snapshot: Snapshot | None) -> list[str]:
    """Return the parked endpoints, and why: ``m parked for 30 s: http_429``."""
    parked = () if snapshot is None else snapshot.parked
    named = [_parked(each) for each in parked[:MAX_PARKED]]
    more = len(parked) - len(named)
    return [*named, f"{more} more parked"] if more else named


def cost(counters: Counters) -> list[str]:
    """Return the cost of the results, if it is known."""
    return [f"cost {short_amount(counters.cost)}"] if counters.cost else []


def _bound(snapshot: Snapshot) -> str:
    if snapshot.is_limited:
        return f"{snapshot.allowed} (held back by limits)"
    return str(snapshot.allowed) if snapshot.held_back is None else _held_back(snapshot.held_back)


def _held_back(held_back: HeldBack) -> str:
    return f"{held_back.limit}: {_why(held_back)}"


def _why(held_back: HeldBack) -> str:
    if held_back.reason == UNPROVEN:
        return "endpoint not yet proven"
    return f"held back by {congestion(held_back.reason)}"


def _parked(parked: Parked) -> str:
    state = "out" if parked.is_open else "parked"
    until = "for this run" if parked.seconds is None else f"for {parked.seconds:.0f} s"
    return (
        f"{escape(parked.name)} {state} {until}{' at most' if parked.is_open else ''}: {escape(parked.code)}"
    )
