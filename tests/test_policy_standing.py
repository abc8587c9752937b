"""What the engine tells of itself when it is asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from batch.policy.lane import Lane
from batch.policy.retry import RetryPolicy
from batch.policy.schedule import Scheduler
from batch.policy.standing import Parked, Standing, standing
from batch.records import Failure, Outcome, Rate, Reply, Request, Verdict
from tests.test_policy_gate import Ledger

if TYPE_CHECKING:
    from batch.policy.gate import Gate

OK = Reply("fine", Verdict.COMPLETE, "stop")
SLOW = Failure("http_429", "slow", http_status=429, retry_after=20.0)


def lane(name: str = "m", total: int = 9, gate: Gate | None = None) -> Lane:
    rows = (Request(f"{name}{number}", "f", name, name, ()) for number in range(total))
    return Lane(name, rows, limit=4, policy=RetryPolicy(), outage=600, random=lambda: 0.5, gate=gate)


def after(scheduler: Scheduler, *outcomes: Outcome) -> Standing:
    """One attempt after the other, a second each; then how it stands."""
    now = 0.0
    for outcome in outcomes:
        work = scheduler.take(now)
        assert work is not None
        now += 1
        scheduler.settle(work, outcome, now)
    return standing(scheduler, now)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Standing(allowed=1)),
        ([OK], Standing(allowed=4)),
        ([OK, SLOW], Standing(allowed=4, waiting=1)),
        (
            [OK, Failure("http_429", "later", http_status=429, retry_after=500.0)],
            Standing(waiting=1, parked=(Parked("m", "http_429", 550.0),)),
        ),
        (
            [OK, Failure("auth", "wrong key", http_status=401)],
            Standing(parked=(Parked("m", "auth", None),)),
        ),
        (
            [OK, Failure("connect", "refused")],
            Standing(allowed=1, parked=(Parked("m", "connect", 600.0, out=True),)),
        ),
    ],
    ids=["pilot", "proven", "retry", "parked", "held", "out"],
)
def test_what_is_allowed_what_waits_and_what_is_parked(outcomes: list[Outcome], expected: Standing) -> None:
    assert after(Scheduler([lane()], limit=8), *outcomes) == expected


def test_what_is_under_way_is_counted_over_all_lanes_below_the_bound_of_the_run() -> None:
    scheduler = Scheduler([lane("m"), lane("n")], limit=6)
    assert after(scheduler, OK, OK).allowed == 6
    taken = 0
    while scheduler.take(2.0) is not None:
        taken += 1
    assert (standing(scheduler, 2.0).in_flight, taken) == (6, 6)


def test_a_lane_that_waits_for_its_gate_is_limited() -> None:
    scheduler = Scheduler([lane(gate=Ledger(lambda work, now: 30.0 if now else now))], limit=8)
    assert not after(scheduler, OK).is_limited
    assert scheduler.take(1.0) is None
    assert standing(scheduler, 1.0).is_limited


def test_a_lane_whose_server_announces_that_nothing_is_left_is_limited() -> None:
    told = Reply("fine", Verdict.COMPLETE, "stop", rate=Rate(0, 20.0))
    scheduler = Scheduler([lane()], limit=8)
    assert after(scheduler, told) == Standing(allowed=4, is_limited=True)


def test_a_lane_that_is_over_allows_nothing() -> None:
    scheduler = Scheduler([lane(total=1), lane("n")], limit=8)
    after(scheduler, OK, OK)
    assert scheduler.take(2.0) is not None
    assert scheduler.take(math.inf) is not None
    assert standing(scheduler, 2.0).allowed == 4
