"""Admission control of a queue: a request that is not admitted stays at the head, and none overtakes it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.decisions import Failed, RetryAt
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.admission import Admission
    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")
CUT = Failure("truncated", "cut", first_byte=0.1)


class Ledger:
    """An admission control that follows a rule and records its calls."""

    closed = False

    def __init__(self, rule: Callable[[Task, float], float]) -> None:
        self._rule = rule
        self.reserved: list[str] = []
        self.attempts: list[tuple[str, Outcome]] = []
        self.results: list[bool] = []

    def ready_at(self, task: Task, now: float) -> float:
        return self._rule(task, now)

    def reserve(self, task: Task, now: float) -> None:
        assert self._rule(task, now) <= now, "only what may go goes"
        self.reserved.append(task.request.id)

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        self.attempts.append((task.request.id, outcome))
        if isinstance(outcome, Reply):
            self.results.append(False)

    def failed(self) -> None:
        self.results.append(True)


class Budget(Ledger):
    """At most ``size`` attempts in flight or done."""

    def __init__(self, attempts: int) -> None:
        super().__init__(lambda task, now: math.inf if len(self.reserved) >= attempts else now)


def queue(admission: Admission, name: str = "m", total: int = 9) -> TargetQueue:
    rows = (Request(f"{name}{number}", "f", name, name, ()) for number in range(total))
    policy = RetryPolicy(max_attempts=2, base=1)
    return TargetQueue(name, rows, limit=4, policy=policy, outage=60, random=lambda: 0.5, admission=admission)


def proven(it: TargetQueue) -> TargetQueue:
    pilot = it.take(0)
    assert pilot is not None
    it.settle(pilot, OK, 0)
    return it


def taken(it: TargetQueue, now: float) -> list[str]:
    names = []
    while (task := it.take(now)) is not None:
        names.append(task.request.id)
    return names


def test_a_waiting_request_stays_at_the_head_until_its_time() -> None:
    ledger = Ledger(lambda task, now: 10.0 if task.request.id == "m2" else now)
    it = proven(queue(ledger))
    assert taken(it, 0) == ["m1"]
    assert it.due(0) == 10
    assert taken(it, 9.9) == []
    assert taken(it, 10) == ["m2", "m3", "m4"]
    assert ledger.reserved == ["m0", "m1", "m2", "m3", "m4"], "asking reserves nothing"


def test_admission_applies_to_retries_like_first_attempts() -> None:
    ledger = Ledger(lambda task, now: now if not task.failures else 30.0)
    it = proven(queue(ledger, total=3))
    first = it.take(0)
    assert first is not None
    (again,) = it.settle(first, CUT, 0)
    assert isinstance(again, RetryAt)
    assert it.take(again.at) is None, "it is due, but may not go: what is behind it waits too"
    assert it.due(again.at) == 30
    assert taken(it, 30) == ["m1", "m2"]


def test_the_admission_control_receives_every_attempt_and_every_result() -> None:
    ledger = Ledger(lambda task, now: now)
    it = proven(queue(ledger))
    task = it.take(0)
    assert task is not None
    (again,) = it.settle(task, CUT, 0)
    assert isinstance(again, RetryAt)
    assert it.take(again.at) is task
    (failed,) = it.settle(task, CUT, again.at)
    assert isinstance(failed, Failed)
    assert ledger.attempts == [("m0", OK), ("m1", CUT), ("m1", CUT)]
    assert ledger.results == [False, True]


def test_a_limit_that_only_a_settlement_can_lift_waits_for_it() -> None:
    opened = [False]
    it = proven(queue(Ledger(lambda task, now: now if task.request.id < "m2" or opened[0] else math.inf)))
    task = it.take(0)
    assert task is not None
    assert it.take(0) is None
    assert it.blocked
    assert it.due(0) is None
    it.settle(task, OK, 1)
    opened[0] = True
    assert taken(it, 1) == ["m2", "m3", "m4", "m5"]


def test_a_limit_that_no_request_in_flight_can_lift_stops_all_queues() -> None:
    scheduler = Scheduler([queue(Budget(3)), queue(Budget(100), "n", total=1)], limit=8)
    under_way = []
    for now in range(10):
        while (task := scheduler.take(now)) is not None:
            under_way.append(task)
        if scheduler.over:
            break
        assert not scheduler.limited, "requests in flight end first"
        scheduler.settle(under_way.pop(), OK, now)
    assert scheduler.limited
    assert scheduler.over


def test_a_closed_admission_control_stops_all_queues_and_lets_requests_in_flight_finish() -> None:
    ledger = Ledger(lambda task, now: now)
    scheduler = Scheduler([proven(queue(ledger)), proven(queue(Ledger(ledger._rule), "n"))], limit=8)
    first, second = scheduler.take(0), scheduler.take(0)
    assert first is not None
    assert second is not None
    ledger.closed = True
    scheduler.settle(first, OK, 1)
    assert scheduler.limited
    assert scheduler.take(1) is None
    assert not scheduler.over
    scheduler.settle(second, OK, 2)
    assert scheduler.over


def test_a_budget_of_nothing_ends_the_run_before_it_begins() -> None:
    scheduler = Scheduler([queue(Budget(0))], limit=8)
    assert scheduler.take(0) is None
    assert scheduler.limited
    assert scheduler.over
