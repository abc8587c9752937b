"""How the engine stands, for whoever shows it: taken when it is shown, and never counted along the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.policy.circuit_breaker import CircuitBreaker
    from batch.policy.lane import Lane
    from batch.policy.schedule import Scheduler


class Parked(Struct, frozen=True):
    """An endpoint that is not asked, or only probed, for the reason ``code``.

    ``seconds`` are those until it is asked again; ``None``: not in this run. Where it is ``out`` it is probed
    meanwhile, for so long at most.
    """

    name: str
    code: str
    seconds: float | None
    out: bool = False


class Standing(Struct, frozen=True):
    """Attempts under way and those allowed at once, retries that wait, and endpoints that are parked.

    ``is_limited``: some model's next request waits for a budget or a rate, the job's or the server's own.
    """

    in_flight: int = 0
    allowed: int = 0
    waiting: int = 0
    is_limited: bool = False
    parked: tuple[Parked, ...] = ()


def standing(scheduler: Scheduler, now: float) -> Standing:
    """The standing at ``now``, in seconds on the engine's clock."""
    open_lanes = [lane for lane in scheduler.lanes if not lane.over]
    slots = sum(lane.slots(now) for lane in open_lanes)
    return Standing(
        in_flight=scheduler.in_flight,
        allowed=min(scheduler.limit, slots),
        waiting=sum(lane.waiting for lane in open_lanes),
        is_limited=any(lane.is_limited or _is_closed(lane, now) for lane in open_lanes),
        parked=tuple(
            parked
            for lane in scheduler.lanes
            for endpoint in lane.pool.endpoints
            for parked in _parked(endpoint, now)
        ),
    )


def _is_closed(lane: Lane, now: float) -> bool:
    """Whether an endpoint that is neither held nor out has announced that it takes nothing for a while."""
    return any(
        each.held is None and each.opened_at is None and (each.due(now) or now) > now
        for each in lane.pool.endpoints
    )


def _parked(endpoint: CircuitBreaker, now: float) -> Iterator[Parked]:
    held = endpoint.held
    if held is not None and (held.until is None or held.until > now):
        yield Parked(endpoint.name, held.code, None if held.until is None else held.until - now)
    elif endpoint.opened_at is not None:
        yield Parked(endpoint.name, endpoint.open_code, max(0.0, endpoint.probed_until - now), out=True)
