"""The retry budget prevents retry storms: it bounds the share and the rate of retries."""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue
from batch.scheduling.token_bucket import PACE, REPLY_PAYS, RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")
CUT = Failure("truncated", "cut", first_byte=0.1)


def spend_all(budget: RetryBudget, now: float) -> int:
    spent = 0
    while budget.spend(now):
        spent += 1
    return spent


@pytest.mark.parametrize(("limit", "size"), [(1, 10), (10, 10), (64, 64)])
def test_a_round_of_retries_is_free(limit: int, size: int) -> None:
    assert spend_all(RetryBudget(limit), 5) == size


def test_a_reply_pays_for_some_and_time_for_a_few() -> None:
    budget = RetryBudget(10)
    spend_all(budget, 0)
    budget.replied(0)
    assert spend_all(budget, 0) == REPLY_PAYS
    assert budget.ready_at(0) == pytest.approx(1 / PACE)
    assert spend_all(budget, 0.5) == pytest.approx(PACE / 2, abs=1)


def test_saved_retries_are_bounded() -> None:
    budget = RetryBudget(20)
    for _ in range(1000):
        budget.replied(0)
    assert spend_all(budget, 10**6) == 20


@given(st.integers(1, 100), st.lists(st.tuples(st.floats(0, 2), st.booleans())))
def test_retries_never_exceed_the_budget_nor_the_promised_time(
    limit: int, steps: list[tuple[float, bool]]
) -> None:
    budget, now, spent, replies = RetryBudget(limit), 0.0, 0, 0
    for seconds, reply in steps:
        now += seconds
        if reply:
            replies += 1
            budget.replied(now)
        at = budget.ready_at(now)
        assert now <= at <= now + 1 / PACE
        assert budget.spend(at), "at that time, and not just after it: no other event may advance the clock"
        spent, now = spent + 1, at
        assert spent <= max(10, limit) + REPLY_PAYS * replies + PACE * now + 1e-6


def test_rounding_never_delays_a_retry() -> None:
    budget, now, chance = RetryBudget(10), 0.0, random.Random(1).random
    for _ in range(10_000):
        now += chance() / 10
        if not budget.spend(now):
            at = budget.ready_at(now)
            assert at > now, "a look that finds nothing comes back later"
            assert budget.spend(at)
            now = at


def played(
    outcome: Callable[[Task, float], Outcome], seconds: float, limit: int = 64
) -> list[tuple[float, bool]]:
    """Return when the attempts of a queue were sent, each lasting 50 ms, and whether each is a retry."""
    rows = (Request(str(number), "f", "m", "m", ()) for number in range(10**6))
    it = TargetQueue("m", rows, limit=limit, policy=RetryPolicy(), outage=60, random=random.Random(7).random)
    sent: list[tuple[float, bool]] = []
    ends: list[tuple[float, int, Task]] = []
    now = 0.0
    while now < seconds:
        while (task := it.take(now)) is not None:
            sent.append((now, bool(task.failures)))
            heapq.heappush(ends, (now + 0.05, len(sent), task))
        due = it.due(now)
        if not ends or (due is not None and due < ends[0][0]):
            assert due is not None
            now = max(due, now + 1e-6)
            continue
        now, _, task = heapq.heappop(ends)
        it.settle(task, outcome(task, now), now)
    return sent


def test_if_all_requests_fail_the_queue_slows_down() -> None:
    sent = played(lambda task, now: OK if now < 1 else CUT, 300)
    minute = [at for at, _ in sent if 60 <= at < 120]
    assert len(minute) / 60 < 1.5 * PACE
    assert len(minute) > 60, "but goes on"


def test_occasional_failures_do_not_slow_the_queue() -> None:
    chance = random.Random(3).random
    sent = played(lambda task, now: CUT if chance() < 0.1 else OK, 20)
    assert len(sent) > 0.9 * 64 * 20 * 20
    assert 0.08 < sum(again for _, again in sent) / len(sent) < 0.12


def test_new_requests_are_not_slowed_if_a_third_fails() -> None:
    """Waiting retries occupy no slots, and do not block other requests."""
    chance = random.Random(4).random
    sent = played(lambda task, now: CUT if chance() < 0.3 else OK, 20)
    assert len(sent) > 0.9 * 64 * 20 * 20


def test_a_burst_of_failures_is_not_answered_by_a_burst_of_retries() -> None:
    """All attempts fail for ten seconds; after that, retries never exceed what replies have paid for."""
    sent = played(lambda task, now: CUT if 10 < now < 20 else OK, 40)
    during = [at for at, again in sent if again and 12 < at < 20]
    assert len(during) <= 8 * PACE + 10
