"""A snapshot of the engine for progress reports, computed on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.events import UNPROVEN, EndpointLoad, HeldBack, Parked, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.scheduling.circuit_breaker import CircuitBreaker
    from batch.scheduling.scheduler import Scheduler
    from batch.scheduling.target_queue import TargetQueue


def snapshot(scheduler: Scheduler, now: float) -> Snapshot:
    """Return the state of the engine at ``now``, in seconds on the engine's clock."""
    open_queues = [queue for queue in scheduler.queues if not queue.over]
    endpoints = [endpoint for queue in scheduler.queues for endpoint in queue.pool.endpoints]
    allowed = min(scheduler.limit, sum(queue.slots(now) for queue in open_queues))
    return Snapshot(
        in_flight=scheduler.in_flight,
        allowed=allowed,
        waiting=sum(queue.waiting for queue in open_queues),
        is_limited=any(queue.is_limited or _is_closed(queue, now) for queue in open_queues),
        parked=tuple(parked for endpoint in endpoints for parked in _parked(endpoint, now)),
        held_back=_limiting_cause(open_queues, allowed, scheduler.limit, now),
        endpoints=tuple(_load(endpoint, now) for endpoint in endpoints),
    )


def congestion(scheduler: Scheduler, now: float, seconds: float) -> str | None:
    """Return the code of the congestion that limited an endpoint for more than half of ``seconds``."""
    found = [
        congestion
        for queue in scheduler.queues
        for endpoint in queue.pool.endpoints
        if (congestion := endpoint.limiter.congestion(now)) is not None
    ]
    longest = max(found, key=lambda each: each.seconds, default=None)
    return None if longest is None or longest.seconds <= seconds / 2 else longest.code


def _limiting_cause(queues: list[TargetQueue], allowed: int, most: int, now: float) -> HeldBack | None:
    limit = min(most, sum(queue.pool.first.limiter.limit for queue in queues))
    if allowed >= limit:
        return None
    working = [
        endpoint
        for queue in queues
        for endpoint in queue.pool.endpoints
        if endpoint.parking is None and endpoint.opened_at is None
    ]
    for endpoint in working:
        found = endpoint.limiter.congestion(now)
        if endpoint.proven and found is not None and found.is_present:
            return HeldBack(limit, found.code)
    return HeldBack(limit, UNPROVEN) if any(not endpoint.proven for endpoint in working) else None


def _is_closed(queue: TargetQueue, now: float) -> bool:
    """Whether an endpoint that is neither parked nor open has announced a pause."""
    return any(
        each.parking is None and each.opened_at is None and (each.due(now) or now) > now
        for each in queue.pool.endpoints
    )


def _load(endpoint: CircuitBreaker, now: float) -> EndpointLoad:
    limit = 0 if _is_parked(endpoint, now) else endpoint.slots(now)
    return EndpointLoad(endpoint.name, endpoint.in_flight, limit)


def _is_parked(endpoint: CircuitBreaker, now: float) -> bool:
    parking = endpoint.parking
    return parking is not None and (parking.until is None or parking.until > now)


def _parked(endpoint: CircuitBreaker, now: float) -> Iterator[Parked]:
    parking = endpoint.parking
    if parking is not None and _is_parked(endpoint, now):
        yield Parked(endpoint.name, parking.code, None if parking.until is None else parking.until - now)
    elif endpoint.opened_at is not None:
        yield Parked(endpoint.name, endpoint.open_code, max(0.0, endpoint.probed_until - now), is_open=True)
