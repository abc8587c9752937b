"""Snapshots of the engine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from batch.events import UNPROVEN, EndpointLoad, HeldBack, Parked, Snapshot
from batch.records import Failure, Outcome, Rate, Reply, Request, Verdict
from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.snapshot import congestion, snapshot
from batch.scheduling.target_queue import TargetQueue
from tests.unit.scheduling.test_admission import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.admission import Admission
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")
SLOW = Failure("http_429", "slow", http_status=429, retry_after=20.0)


def queue(
    name: str = "m",
    total: int = 9,
    admission: Admission | None = None,
    limiter: Callable[[int], ConcurrencyLimiter] = FixedLimiter,
) -> TargetQueue:
    rows = (Request(f"{name}{number}", "f", name, name, ()) for number in range(total))
    return TargetQueue(
        name,
        rows,
        limit=4,
        policy=RetryPolicy(),
        outage=600,
        random=lambda: 0.5,
        admission=admission,
        limiter=limiter,
    )


def after(scheduler: Scheduler, *outcomes: Outcome) -> Snapshot:
    """Send one attempt after the other, each for a second; return the snapshot."""
    now = 0.0
    for outcome in outcomes:
        task = scheduler.take(now)
        assert task is not None
        now += 1
        scheduler.settle(task, outcome, now)
    return snapshot(scheduler, now)


def idle(limit: int) -> tuple[EndpointLoad, ...]:
    return (EndpointLoad("m", 0, limit),)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Snapshot(allowed=1, held_back=HeldBack(4, UNPROVEN), endpoints=idle(1))),
        ([OK], Snapshot(allowed=4, endpoints=idle(4))),
        ([OK, SLOW], Snapshot(allowed=4, waiting=1, endpoints=idle(4))),
        (
            [OK, Failure("http_429", "later", http_status=429, retry_after=500.0)],
            Snapshot(waiting=1, parked=(Parked("m", "http_429", 550.0),), endpoints=idle(0)),
        ),
        (
            [OK, Failure("auth", "wrong key", http_status=401)],
            Snapshot(parked=(Parked("m", "auth", None),), endpoints=idle(0)),
        ),
        (
            [OK, Failure("connect", "refused")],
            Snapshot(allowed=1, parked=(Parked("m", "connect", 600.0, is_open=True),), endpoints=idle(1)),
        ),
    ],
    ids=["pilot", "proven", "retry", "parked", "held", "out"],
)
def test_limits_waiting_requests_and_parked_endpoints(outcomes: list[Outcome], expected: Snapshot) -> None:
    assert after(Scheduler([queue()], limit=8), *outcomes) == expected


def test_requests_in_flight_are_counted_over_all_queues_below_the_limit_of_the_run() -> None:
    scheduler = Scheduler([queue("m"), queue("n")], limit=6)
    assert after(scheduler, OK, OK).allowed == 6
    taken = 0
    while scheduler.take(2.0) is not None:
        taken += 1
    seen = snapshot(scheduler, 2.0)
    assert (seen.in_flight, taken) == (6, 6)
    assert seen.endpoints == (EndpointLoad("m", 3, 4), EndpointLoad("n", 3, 4))


def test_a_queue_that_waits_for_admission_is_limited() -> None:
    scheduler = Scheduler([queue(admission=Ledger(lambda task, now: 30.0 if now else now))], limit=8)
    assert not after(scheduler, OK).is_limited
    assert scheduler.take(1.0) is None
    assert snapshot(scheduler, 1.0).is_limited


def test_a_queue_whose_server_announces_that_nothing_is_left_is_limited() -> None:
    told = Reply("fine", Verdict.COMPLETE, "stop", rate=Rate(0, 20.0))
    scheduler = Scheduler([queue()], limit=8)
    assert after(scheduler, told) == Snapshot(allowed=4, is_limited=True, endpoints=idle(4))


def test_a_queue_that_is_over_allows_nothing() -> None:
    scheduler = Scheduler([queue(total=1), queue("n")], limit=8)
    after(scheduler, OK, OK)
    assert scheduler.take(2.0) is not None
    assert scheduler.take(math.inf) is not None
    assert snapshot(scheduler, 2.0).allowed == 4


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure("http_429", "slow", http_status=429), "http_429"),
        (Failure("http_503", "busy", http_status=503), "http_503"),
        (Failure("first_byte_timeout", "silence"), "first_byte_timeout"),
        (Failure("http_500", "oops", http_status=500), None),
        (Failure("truncated", "cut", first_byte=1), None),
    ],
    ids=lambda value: value.code if isinstance(value, Failure) else "",
)
def test_it_names_the_failures_that_limit_a_queue(failure: Failure, reason: str | None) -> None:
    scheduler = Scheduler([queue(limiter=AdaptiveLimiter)], limit=8)
    held_back = after(scheduler, OK, failure).held_back
    assert held_back == (None if reason is None else HeldBack(4, reason))
    assert congestion(scheduler, 100.0, seconds=100.0) == reason


def test_a_queue_that_is_back_at_the_limit_of_the_job_is_not_limited() -> None:
    scheduler = Scheduler([queue(total=60, limiter=AdaptiveLimiter)], limit=8)
    now, refused = 0.0, False
    while (tasks := _all(scheduler, now)) or not scheduler.over:
        now += 1
        for task in tasks:
            refuse = now == 2 and not refused
            refused |= refuse
            scheduler.settle(task, SLOW if refuse else OK, now)
        if 3 < now < 5:
            assert snapshot(scheduler, now).held_back == HeldBack(4, "http_429")
        if now == 12:
            assert snapshot(scheduler, now).held_back is None
    assert congestion(scheduler, now, seconds=now) is None, "it was not for most of the time"


def _all(scheduler: Scheduler, now: float) -> list[Task]:
    tasks = []
    while (task := scheduler.take(now)) is not None:
        tasks.append(task)
    return tasks
