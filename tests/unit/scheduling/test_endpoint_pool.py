"""Several endpoints for one model: the choice of an endpoint, and the handling of failing endpoints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.decisions import CircuitOpened, Failed, Park, Requeue, RetryAt, Suspend
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.circuit_breaker import CircuitBreaker
    from batch.scheduling.decisions import Decision
    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")
REFUSED = Failure("connect", "refused")
BUSY = Failure("http_503", "busy", http_status=503)
WRONG_KEY = Failure("auth", "wrong key", http_status=401)
PAGE = Failure("not_sse", "a page")
NOT_FOUND = Failure("bad_request", "no such path", http_status=404)
CUT = Failure("truncated", "cut", first_byte=0.1)


def pool(names: str = "ab", total: int = 500, limit: int = 8, attempts: int = 8) -> TargetQueue:
    rows = (Request(str(number), "f", "m", "m", ()) for number in range(total))
    policy = RetryPolicy(max_attempts=attempts)
    return TargetQueue(
        "m", rows, limit=limit, policy=policy, outage=600, random=lambda: 0.5, endpoints=tuple(names)
    )


def endpoint(it: TargetQueue, name: str) -> CircuitBreaker:
    return next(each for each in it.pool.endpoints if each.name == name)


def taken(it: TargetQueue, now: float = 0) -> list[Task]:
    tasks = []
    while (task := it.take(now)) is not None:
        tasks.append(task)
    return tasks


def names(tasks: list[Task]) -> Counter[str]:
    return Counter(task.endpoint for task in tasks)


def settle(
    it: TargetQueue, tasks: list[Task], outcomes: dict[str, Outcome], now: float = 0
) -> list[Decision]:
    """Settle each task with its endpoint's outcome, by default a success; return all decisions."""
    return [each for task in tasks for each in it.settle(task, outcomes.get(task.endpoint, OK), now)]


def kinds(decisions: list[Decision]) -> Counter[type]:
    return Counter(type(each) for each in decisions)


def proven(names: str = "ab", limit: int = 8) -> TargetQueue:
    it = pool(names, limit=limit)
    settle(it, taken(it), {})
    return it


def test_each_endpoint_has_a_first_request_of_its_own() -> None:
    it = pool("abc")
    assert names(taken(it)) == Counter("abc")


def test_the_least_busy_endpoint_is_chosen_and_all_share_one_limit() -> None:
    it = proven("abc", limit=9)
    tasks = taken(it)
    assert names(tasks) == Counter("aaabbbccc")
    settle(it, [task for task in tasks if task.endpoint == "b"], {})
    assert names(taken(it)) == Counter("bbb")


def test_a_failing_endpoint_is_probed_and_the_others_serve_its_requests() -> None:
    it = proven()
    tasks = taken(it)
    said = settle(it, [task for task in tasks if task.endpoint == "a"], {"a": REFUSED})
    assert kinds(said) == {Suspend: 1, Requeue: 4, CircuitOpened: 1}
    assert endpoint(it, "a").opened_at == 0
    assert it.parking is None
    assert names(taken(it)) == Counter("bbbb")
    later = taken(it, 60)
    assert names(later)["a"] == 0, "there is no room until something settles"
    settle(it, tasks[1:2], {}, 60)
    assert names(taken(it, 60)) == Counter("a"), "one probe"
    assert not any(task.failures for task in tasks)


def test_after_a_failure_another_endpoint_is_chosen_even_if_it_is_busier() -> None:
    it = proven(limit=4)
    tasks = taken(it)
    mine = next(task for task in tasks if task.endpoint == "a")
    (again,) = it.settle(mine, CUT, 0)
    assert isinstance(again, RetryAt)
    (retried,) = taken(it, again.at)
    assert (retried is mine, retried.endpoint) == (True, "b")


@pytest.mark.parametrize("failure", [REFUSED, NOT_FOUND, PAGE], ids=lambda failure: str(failure.code))
def test_an_unreachable_endpoint_is_probed_once_another_has_worked(failure: Failure) -> None:
    it = pool()
    first, second = taken(it)
    assert kinds(it.settle(first, failure, 0)) == {Requeue: 1, Park: 1}
    assert it.parking is None
    it.settle(second, OK, 0)
    assert it.settle(next(w for w in taken(it, 0) if w is first), OK, 0) == [], "b has served it"
    assert first.failures == []
    a = endpoint(it, "a")
    assert (a.stopped, a.opened_at) == (False, 0)
    now = 0.0
    while a.opened_at is not None and now < 100:
        now += 1
        settle(it, taken(it, now), {"a": OK if now > 50 else failure}, now)
    assert a.proven
    assert now < 100


def test_a_probe_of_such_an_endpoint_is_uncharged_and_announced_once() -> None:
    it = pool("ab", attempts=1, total=10_000)
    first, second = taken(it)
    it.settle(second, OK, 0)
    said = it.settle(first, PAGE, 0)
    assert kinds(said) == {Requeue: 1, CircuitOpened: 1}
    for now in range(1, 590):
        tasks = taken(it, now)
        said += settle(it, tasks, {"a": PAGE}, now)
    assert kinds(said)[CircuitOpened] == 1
    assert kinds(said).keys() == {CircuitOpened, Requeue}
    for now in range(590, 700):
        said += settle(it, taken(it, now), {"a": PAGE}, now)
    assert kinds(said)[Park] == 1
    parking = endpoint(it, "a").parking
    assert parking is not None
    assert parking.exit_code == 75
    assert it.parking is None


def test_a_key_that_one_endpoint_rejects_parks_that_endpoint() -> None:
    it = proven()
    tasks = taken(it)
    settle(it, tasks, {"a": WRONG_KEY})
    assert endpoint(it, "a").stopped
    assert it.parking is None
    assert not it.over
    assert names(taken(it)) == Counter({"b": 8})


@pytest.mark.parametrize(
    ("failure", "code"),
    [(WRONG_KEY, 7), (REFUSED, 7), (NOT_FOUND, 7), (PAGE, 7)],
    ids=lambda case: str(case)[:20],
)
def test_the_target_is_parked_when_all_endpoints_are(failure: Failure, code: int) -> None:
    it = pool("ab", attempts=1)
    settle(it, taken(it), {"a": failure, "b": failure})
    assert it.over
    assert it.parking is not None
    assert it.parking.exit_code == code


def test_only_the_last_first_request_fails_for_another_kind_of_server() -> None:
    it = pool("abc", attempts=1)
    said = settle(it, taken(it), {"a": PAGE, "b": PAGE, "c": PAGE})
    assert kinds(said) == {Requeue: 2, Park: 3, Failed: 1}
    assert it.over


def test_an_outage_of_all_stops_the_run_as_an_outage() -> None:
    it = proven()
    now = 0.0
    while not it.over:
        settle(it, taken(it, now), {"a": REFUSED, "b": BUSY}, now)
        now = max(now, it.due(now) or now)
    assert it.parking is not None
    assert it.parking.exit_code == 75
    assert 600 <= now <= 700


def test_an_endpoint_that_asks_to_wait_is_parked_and_its_request_goes_to_another() -> None:
    it = proven()
    tasks = taken(it)
    mine = next(task for task in tasks if task.endpoint == "a")
    wait = Failure("http_429", "slow", http_status=429, retry_after=300)
    assert kinds(it.settle(mine, wait, 0)) == {RetryAt: 1, Park: 1}
    settle(it, [task for task in tasks if task.endpoint == "b"], {})
    again = taken(it)
    assert mine in again
    assert names(again) == Counter({"b": 5}), "three of a are still in flight"
    assert it.parking is None


def test_all_endpoints_that_ask_to_wait_are_parked_until_the_first_accepts_requests() -> None:
    it = proven()
    tasks = taken(it)
    waits: dict[str, Outcome] = {
        name: Failure("http_429", "slow", http_status=429, retry_after=seconds)
        for name, seconds in (("a", 300), ("b", 100))
    }
    settle(it, tasks, waits)
    assert taken(it, 99) == []
    assert it.parking is not None
    until = it.parking.until
    assert until is not None
    assert 100 <= until <= 120
    assert it.due(0) == until
    assert set(names(taken(it, until))) == {"b"}


def lasting(it: TargetQueue, outcome: Callable[[Task, float], Outcome], seconds: int) -> Counter[str]:
    """Run the queue for some seconds; each attempt takes one second. Return the attempts of each endpoint."""
    counts: Counter[str] = Counter()
    for now in range(seconds):
        tasks = taken(it, now)
        counts += names(tasks)
        for task in tasks:
            it.settle(task, outcome(task, now), now + 1)
    return counts


def test_an_endpoint_that_fails_fast_does_not_attract_all_requests() -> None:
    it = proven(limit=16)
    gone = 0

    def outcome(task: Task, now: float) -> Outcome:
        nonlocal gone
        bad = task.endpoint == "a"
        gone += bad and len(task.failures) == 7
        return CUT if bad else OK

    counts = lasting(it, outcome, 30)
    assert counts["b"] >= counts["a"] * 0.8
    assert not gone
