"""The calls to a concurrency limiter, and the limits above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from batch.scheduling.concurrency_limiter import Congestion
    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")
REFUSED = Failure("connect", "refused")


class Three:
    """Always three slots; records the calls."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.told: list[tuple[str, float, float, int]] = []
        self.sent_at: list[float] = []

    def congestion(self, now: float) -> Congestion | None:
        return None

    def slots(self, now: float) -> int:
        return 3

    def sent(self, now: float) -> None:
        self.sent_at.append(now)

    def settled(self, outcome: Outcome, *, started: float, now: float, in_flight: int) -> None:
        self.told.append((type(outcome).__name__, started, now, in_flight))


def under_control() -> tuple[TargetQueue, Three]:
    made: list[Three] = []

    def make(limit: int) -> Three:
        made.append(Three(limit))
        return made[-1]

    rows = (Request(str(number), "f", "m", "m", ()) for number in range(100))
    it = TargetQueue("m", rows, limit=8, policy=RetryPolicy(), outage=60, random=lambda: 0.5, limiter=make)
    return it, made[0]


def taken(it: TargetQueue, now: float) -> list[Task]:
    tasks = []
    while (task := it.take(now)) is not None:
        tasks.append(task)
    return tasks


def test_it_receives_the_times_and_the_number_of_attempts() -> None:
    it, control = under_control()
    assert control.limit == 8
    (pilot,) = taken(it, 1)
    it.settle(pilot, OK, 2)
    first, second, _ = taken(it, 2)
    it.settle(first, OK, 5)
    it.settle(second, Failure("truncated", "cut", first_byte=1), 6)
    assert control.sent_at == [1, 2, 2, 2]
    assert control.told == [("Reply", 1, 2, 1), ("Reply", 2, 5, 3), ("Failure", 2, 6, 2)]


def test_an_outage_lowers_the_ceiling_below_what_it_allows() -> None:
    it, _ = under_control()
    (pilot,) = taken(it, 0)
    it.settle(pilot, OK, 0)
    for task in taken(it, 0):
        it.settle(task, REFUSED, 0)
    (probe,) = taken(it, 50)
    it.settle(probe, OK, 50)
    (one,) = taken(it, 50)
    it.settle(one, OK, 51)
    two = taken(it, 51)
    assert len(two) == 2
    for task in two:
        it.settle(task, OK, 52)
    assert len(taken(it, 52)) == 3, "no more than it allows"
