"""Budgets: requests in flight are reserved, so that a limit is never exceeded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from batch.records import Failure, Outcome, Reply, Request, Usage, Verdict
from batch.scheduling.budget import Budget, FailureLimit
from batch.scheduling.pricing import Price, Tier
from batch.scheduling.quota import Quota, Rates
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue
from batch.scheduling.task import Task
from batch.scheduling.token_estimate import PER_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 50
PRICE = Price(2.0, 10.0)


def reply(usage: Usage | None = None) -> Reply:
    return Reply("fine", Verdict.COMPLETE, "stop", usage=usage)


def request(number: int = 0, size: int = 300) -> Request:
    message = {"role": "user", "content": "a" * size}
    return Request(str(number), "f", "m", "m", (message,), {"max_tokens": LONGEST})


def task(number: int = 0, size: int = 300) -> Task:
    queue = TargetQueue("m", iter(()), limit=1, policy=RetryPolicy(), outage=60, random=lambda: 0.5)
    row = request(number, size)
    return Task(row, row, queue.name, queue.pool.first.name, 0.0)


PROMPT = 100 + PER_MESSAGE
MOST = PROMPT + LONGEST
MOST_COST = PRICE.cost(PROMPT, LONGEST)


# Prices


@pytest.mark.parametrize(
    ("price", "prompt", "completion", "cost"),
    [
        (Price(2.0, 10.0), 1_000_000, 0, 2.0),
        (Price(2.0, 10.0), 0, 1_000_000, 10.0),
        (Price(0.0, 0.0), 10**9, 10**9, 0.0),
        (Price(1.0, 2.0, (Tier(1000, 4.0, 8.0),)), 1000, 1000, 0.003),
        (Price(1.0, 2.0, (Tier(1000, 4.0, 8.0),)), 1001, 1000, 0.012004),
        (Price(1.0, 2.0, (Tier(10, 4.0, 8.0), Tier(1000, 5.0, 9.0))), 2000, 1000, 0.019),
    ],
)
def test_a_price_is_per_million_tokens(price: Price, prompt: int, completion: int, cost: float) -> None:
    assert price.cost(prompt, completion) == pytest.approx(cost)


# What an attempt takes


@pytest.mark.parametrize(
    ("outcome", "known", "assumed"),
    [
        (reply(Usage(90, 20, 110)), 110, 0),
        (reply(Usage(90, 20)), 110, 0),
        (reply(Usage(None, 20)), PROMPT + 20, 0),
        (reply(), 0, MOST),
        (reply(Usage(90)), 0, MOST),
        (Failure("truncated", "cut", usage=Usage(90, 3)), 93, 0),
        (Failure("truncated", "cut"), 0, MOST),
        (Failure("first_byte_timeout", "silence"), 0, MOST),
        (Failure("idle_timeout", "silence"), 0, MOST),
        (Failure("api_error", "overloaded"), 0, MOST),
        (Failure("http_504", "gateway", http_status=504), 0, MOST),
        (Failure("http_524", "gateway", http_status=524), 0, MOST),
        (Failure("connect", "refused"), 0, 0),
        (Failure("tls", "self-signed"), 0, 0),
        (Failure("fd_limit", "too many open files"), 0, 0),
        (Failure("redirect", "moved", http_status=301), 0, 0),
        (Failure("auth", "no", http_status=401), 0, 0),
        (Failure("http_429", "slow", http_status=429), 0, 0),
        (Failure("http_500", "oops", http_status=500), 0, 0),
        (Failure("http_503", "busy", http_status=503), 0, 0),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_an_attempt_is_charged_its_usage_or_its_reservation_or_nothing(
    outcome: Outcome, known: float, assumed: float
) -> None:
    budget = Budget(tokens=10**6)
    meter = Quota(budget, Rates(), PRICE)
    one = task()
    assert meter.ready_at(one, 0) == 0
    meter.reserve(one, 0)
    meter.settled(one, outcome, 1)
    assert (budget.tokens.known, budget.tokens.assumed) == pytest.approx((known, assumed))
    assert budget.cost.assumed == pytest.approx(MOST_COST if assumed else 0)
    assert budget.unreported == bool(assumed)


def test_an_unknown_price_is_not_zero() -> None:
    budget = Budget()
    meter = Quota(budget, Rates())
    one = task()
    meter.reserve(one, 0)
    meter.settled(one, reply(Usage(1000, 1000)), 1)
    assert (budget.tokens.known, budget.cost.known) == (2000, 0)
    assert meter.price is None


def test_a_retry_with_more_tokens_is_reserved_with_them() -> None:
    meter = Quota(Budget(tokens=10**6), Rates())
    one = task()
    meter.reserve(one, 0)
    assert one.reservation.most.tokens == pytest.approx(MOST)
    meter.settled(one, Failure("length", "cut off"), 1)
    one.to_send = replace(one.request, params={"max_tokens": 2 * LONGEST})
    meter.reserve(one, 5)
    assert one.reservation.most.tokens == pytest.approx(MOST + LONGEST)


# Stopping


def test_a_request_that_does_not_fit_waits_for_requests_in_flight() -> None:
    budget = Budget(tokens=MOST + 10)
    meter = Quota(budget, Rates())
    first, second = task(1), task(2)
    meter.reserve(first, 0)
    assert meter.ready_at(second, 0) == math.inf
    assert not meter.closed
    meter.settled(first, reply(Usage(5, 5)), 1)
    assert meter.ready_at(second, 1) == 1


def test_a_request_that_does_not_fit_alone_ends_the_run_with_a_message() -> None:
    budget = Budget(tokens=MOST + 10)
    meter = Quota(budget, Rates())
    first, second = task(1), task(2, size=0)
    meter.reserve(first, 0)
    meter.settled(first, reply(), 1)
    assert meter.ready_at(second, 1) == math.inf
    assert meter.closed
    assert budget.reached == (
        "limits.tokens: 154 (154 of that assumed, for attempts without usage) of 164 spent, "
        "and the next request may take 54"
    )


def test_money_is_a_limit_of_its_own() -> None:
    budget = Budget(tokens=10**6, cost=MOST_COST * 1.5)
    meter = Quota(budget, Rates(), PRICE)
    first, second = task(1), task(2)
    meter.reserve(first, 0)
    meter.settled(first, reply(Usage(PROMPT, LONGEST)), 1)
    assert meter.ready_at(second, 1) == math.inf
    assert budget.reached == "limits.cost: 0.000708 of 0.001062 spent, and the next request may take 0.000708"


@pytest.mark.parametrize(
    ("limit", "results", "reached_at"),
    [
        (FailureLimit(), "f" * 100, None),
        (FailureLimit(number=1), "ssf", 3),
        (FailureLimit(number=3), "fsfsfs", 5),
        (FailureLimit(share=0.1), "ff" + "s" * 18, 20),
        (FailureLimit(share=0.1), "f" + "s" * 19, None),
        (FailureLimit(share=0.1), "f" + "s" * 20 + "f", None),
        (FailureLimit(share=0.1), "f" + "s" * 20 + "ff", 23),
        (FailureLimit(share=0.5), "f" * 19, None),
        (FailureLimit(share=0.5), "f" * 20, 20),
        (FailureLimit(share=1.0), "f" * 19 + "sf", None),
        (FailureLimit(number=5, share=1.0), "fffff", 5),
    ],
)
def test_failures_end_a_run_by_number_or_by_share_from_the_twentieth_result_on(
    limit: FailureLimit, results: str, reached_at: int | None
) -> None:
    budget = Budget(failures=limit)
    reached = None
    for number, result in enumerate(results, 1):
        budget.result(failed=result == "f")
        if budget.reached is not None:
            reached = reached or number
    assert reached == reached_at


def test_only_results_count_as_failures() -> None:
    budget = Budget(failures=FailureLimit(number=1))
    meter = Quota(budget, Rates())
    cut = Failure("truncated", "cut")
    one = task()
    meter.reserve(one, 0)
    meter.settled(one, cut, 1)
    assert not meter.closed
    meter.reserve(one, 5)
    meter.settled(one, cut, 6)
    meter.failed()
    assert budget.reached == "limits.failures: 1 of 1 results have failed"
    assert meter.ready_at(task(1), 6) == math.inf


# Whatever happens

usages = st.builds(Usage, st.integers(0, 200), st.integers(0, LONGEST))
outcomes = st.one_of(
    st.builds(reply, st.none() | usages),
    st.builds(Failure, st.just("truncated"), st.just("cut"), usage=st.none() | usages),
    st.just(Failure("connect", "refused")),
    st.just(Failure("http_503", "busy", http_status=503)),
)


class BudgetMachine(RuleBasedStateMachine):
    """Two models share a budget; an independent model of the budget checks it."""

    @initialize(tokens=st.integers(0, 3000), cost=st.none() | st.floats(0, 0.02))
    def open(self, tokens: int, cost: float | None) -> None:
        self.limits = (tokens, cost)
        self.budget = Budget(tokens=tokens, cost=cost)
        self.meters = [Quota(self.budget, Rates(), PRICE), Quota(self.budget, Rates(), Price(0.5, 1.0))]
        self.flying: list[tuple[Quota, Task, float, float]] = []
        self.errors = [0.0, 0.0]
        self.number = 0

    @rule(model=st.integers(0, 1), size=st.integers(0, 3000))
    def send(self, model: int, size: int) -> None:
        meter, one = self.meters[model], task(self.number, size)
        self.number += 1
        if meter.ready_at(one, 0) == math.inf:
            assert self.flying or self.budget.reached
            return
        meter.reserve(one, 0)
        most = one.reservation.most
        self.flying.append((meter, one, most.tokens, most.cost))

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0), outcome=outcomes)
    def settle(self, which: int, outcome: Outcome) -> None:
        meter, one, tokens, cost = self.flying.pop(which % len(self.flying))
        before = self._booked()
        meter.settled(one, outcome, 0)
        taken = [after - was for after, was in zip(self._booked(), before, strict=True)]
        for index, reserved in enumerate((tokens, cost)):
            self.errors[index] += max(0.0, taken[index] - reserved)

    def _booked(self) -> list[float]:
        return [account.known + account.assumed for account in (self.budget.tokens, self.budget.cost)]

    @invariant()
    def a_limit_is_overrun_by_the_error_of_estimates_alone(self) -> None:
        if not hasattr(self, "limits"):
            return
        for booked, limit, error in zip(self._booked(), self.limits, self.errors, strict=True):
            assert limit is None or booked <= limit + error + 1e-6

    @invariant()
    def what_is_reserved_is_what_is_in_flight(self) -> None:
        if not hasattr(self, "limits"):
            return
        held = self.budget.tokens._taken - self._booked()[0]
        assert held == pytest.approx(sum(tokens for _, _, tokens, _ in self.flying), abs=1e-6)
        assert self.budget.unreported >= len(self.flying)


TestBudget = BudgetMachine.TestCase


def test_a_queue_and_its_quota_stop_at_the_limit_despite_failures() -> None:
    def rows() -> Iterator[Request]:
        yield from (request(number) for number in range(100))

    budget = Budget(tokens=MOST * 10)
    queue = TargetQueue(
        "m",
        rows(),
        limit=4,
        policy=RetryPolicy(max_attempts=3, base=0),
        outage=60,
        random=lambda: 0.5,
        admission=Quota(budget, Rates()),
    )
    attempts = 0
    while (one := queue.take(attempts)) is not None:
        attempts += 1
        queue.settle(one, Failure("truncated", "cut", first_byte=0.1), attempts)
    assert attempts == 10
    assert budget.reached is not None
