"""A scheduler over queues, pools, admission controls and shared budgets, with random events in random order.

No request is lost or in flight twice, no limit is exceeded, and there is always a next time to look.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.circuit_breaker import PROBE_PAUSE, State
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.decisions import Decision, Failed, RetryAt
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue, look_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")

OUTCOMES: list[Outcome] = [
    OK,
    OK,
    Failure("connect", "refused"),
    Failure("http_503", "busy", http_status=503),
    Failure("http_429", "slow", http_status=429, retry_after=20.0),
    Failure("http_429", "slow", http_status=429, retry_after=500.0),
    Failure("truncated", "cut", first_byte=0.1),
    Failure("bad_request", "no", http_status=400),
    Failure("not_sse", "a page"),
    Failure("quota", "used up", http_status=429, retry_after=30.0),
    Failure("fd_limit", "too many open files"),
    Failure("forbidden", "flagged", http_status=403),
    Failure("http_503", "busy", http_status=503, retry_after=20.0),
    Failure("first_byte_timeout", "silence"),
]
FATAL: list[Outcome] = [
    Failure("auth", "wrong key", http_status=401),
    Failure("bad_request", "no", http_status=404),
]


class SharedBudget:
    """The budget of all admission controls: attempts in flight and done may not exceed ``size``."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.reserved = 0
        self.spent = 0


class TimedAdmission:
    """An admission control that admits one request every ``pause`` seconds, charged to the shared budget.

    A failed attempt is refunded, so that attempts in flight may make room for waiting requests.
    """

    closed = False

    def __init__(self, budget: SharedBudget, pause: float) -> None:
        self._budget = budget
        self._pause = pause
        self._next = 0.0

    def ready_at(self, task: Task, now: float) -> float:
        full = self._budget.spent + self._budget.reserved >= self._budget.size
        return math.inf if full else self._next

    def reserve(self, task: Task, now: float) -> None:
        assert self.ready_at(task, now) <= now
        assert task.reservation is None, "what is reserved is given back first"
        self._next = now + self._pause
        self._budget.reserved += 1
        task.reservation = 1

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        assert task.reservation == 1
        task.reservation = None
        self._budget.reserved -= 1
        self._budget.spent += isinstance(outcome, Reply)

    def failed(self) -> None:
        return


def name_of(task: Task) -> str:
    """Return the key of an attempt in the records: a check does not count for its request."""
    return f"check of {task.endpoint}" if task.is_check else task.request.id


class SchedulerMachine(RuleBasedStateMachine):
    """Takes and settles tasks like the runner, and keeps its own records."""

    @initialize(
        totals=st.lists(st.integers(0, 60), min_size=1, max_size=3),
        pools=st.lists(st.integers(1, 3), min_size=3, max_size=3),
        limit=st.integers(1, 10),
        bound=st.integers(1, 20),
        attempts=st.integers(1, 6),
        chance=st.floats(0, 0.99),
        pause=st.sampled_from([0.0, 0.5, 40.0]),
        budget=st.sampled_from([0, 5, 40, 10**6]),
        adaptive=st.booleans(),
    )
    def open(
        self,
        *,
        totals: list[int],
        pools: list[int],
        limit: int,
        bound: int,
        attempts: int,
        chance: float,
        pause: float,
        budget: int,
        adaptive: bool,
    ) -> None:
        self.totals, self.limit, self.bound = totals, limit, bound
        self.now = 0.0
        self.read: Counter[str] = Counter()
        self.flying: dict[str, Task] = {}
        self.waiting: dict[str, float] = {}
        self.done: Counter[str] = Counter()
        self.probed: dict[str, float] = {}
        self.budget = SharedBudget(budget)
        self.scheduler = Scheduler(
            [
                TargetQueue(
                    f"queue{index}",
                    self._requests(f"queue{index}", total),
                    limit=limit,
                    policy=RetryPolicy(max_attempts=attempts),
                    outage=3600,
                    random=lambda: chance,
                    limiter=AdaptiveLimiter if adaptive else FixedLimiter,
                    admission=TimedAdmission(self.budget, pause),
                    endpoints=[f"{index}.{number}" for number in range(pools[index])],
                )
                for index, total in enumerate(totals)
            ],
            bound,
        )

    def _requests(self, queue: str, total: int) -> Iterator[Request | None]:
        for number in range(total):
            self.read[queue] += 1
            if number % 4 == 3:
                yield None
            yield Request(f"{queue}-{number}", "f", queue, "m", ())

    def _take(self) -> bool:
        task = self.scheduler.take(self.now)
        if task is None:
            return False
        name = name_of(task)
        assert name not in self.flying, "no request is in flight twice"
        assert name not in self.done, "what has ended stays ended"
        assert self.waiting.pop(name, 0.0) <= self.now, "no request is sent before its time"
        self.flying[name] = task
        queue = next(each for each in self.scheduler.queues if each.name == task.queue)
        endpoint = queue.pool.by_name[task.endpoint]
        assert endpoint.parking is None, "a parked endpoint is sent nothing"
        if endpoint.state is State.CLOSED:
            assert endpoint.in_flight <= endpoint.slots(self.now)
        if endpoint.state is State.OPEN:
            assert self.now >= self.probed.get(endpoint.name, 0.0) + PROBE_PAUSE, "probes keep a distance"
            self.probed[endpoint.name] = self.now
        return True

    def _settle(self, name: str, outcome: Outcome) -> None:
        task = self.flying.pop(name)
        decisions = self.scheduler.settle(task, outcome, self.now)
        if isinstance(outcome, Reply) and not task.is_check:
            self.done[name] += 1
        elif not task.is_check:
            assert [each for each in decisions if getattr(each, "task", None) is task], "its fate is decided"
        self._note(decisions)

    def _reviewed(self) -> bool:
        """Carry out the decisions of a review; return whether the run is over then."""
        self._note(self.scheduler.review(self.now))
        return self.scheduler.over

    def _note(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Failed):
                self.done[decision.task.request.id] += 1
            elif isinstance(decision, RetryAt):
                assert decision.at >= self.now
                self.waiting[decision.task.request.id] = decision.at

    @rule()
    def take(self) -> None:
        self._take()

    @rule()
    def take_all(self) -> None:
        self.scheduler.read_on(self.now)
        while self._take():
            pass

    @precondition(lambda self: self.flying)
    @rule(outcome=st.sampled_from(OUTCOMES), which=st.randoms(use_true_random=False))
    def settle(self, outcome: Outcome, which: st.DataObject) -> None:
        self._settle(which.choice(sorted(self.flying)), outcome)  # type: ignore[attr-defined]

    @precondition(lambda self: self.flying)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle_all(self, outcome: Outcome) -> None:
        for name in sorted(self.flying):
            self._settle(name, outcome)

    @precondition(lambda self: self.flying)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle_an_endpoint(self, outcome: Outcome) -> None:
        endpoint = self.flying[min(self.flying)].endpoint
        for name in sorted(name for name, task in self.flying.items() if task.endpoint is endpoint):
            self._settle(name, outcome)

    @precondition(lambda self: self.flying)
    @rule(outcome=st.sampled_from(FATAL))
    def settle_fatally(self, outcome: Outcome) -> None:
        self._settle(min(self.flying), outcome)

    @rule(seconds=st.sampled_from([0.01, 1.0, 30.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def bounds_hold(self) -> None:
        assert self.scheduler.in_flight == len(self.flying) <= self.bound
        assert self.budget.reserved == len(self.flying)
        for queue in self.scheduler.queues:
            mine = [task for task in self.flying.values() if task.queue == queue.name]
            assert queue.in_flight == len(mine) <= self.limit
            for endpoint in queue.pool.endpoints:
                assert endpoint.in_flight == sum(task.endpoint == endpoint.name for task in mine)
                assert endpoint.proven or endpoint.in_flight <= 1, "a pilot goes alone"
            ended = sum(name.startswith(f"{queue.name}-") for name in self.done)
            assert queue.waiting <= self.limit + look_ahead(self.limit)
            assert self.read[queue.name] - ended <= 2 * self.limit + look_ahead(self.limit) + 1, (
                "memory is bounded"
            )

    @invariant()
    def it_goes_on_or_is_over(self) -> None:
        """With nothing in flight there is a time at which the next request is sent."""
        for _ in range(60):
            if self.flying or self.scheduler.over:
                return
            self.scheduler.read_on(self.now)
            if self._take() or self.scheduler.over:
                return
            if self._reviewed():
                return
            due = self.scheduler.due(self.now)
            assert due is not None
            self.now = max(self.now, due)
        raise AssertionError("nothing goes out at the time that was promised")

    def teardown(self) -> None:
        """Let all endpoints work: every request ends once, except those that a parking or a limit stops."""
        if not hasattr(self, "scheduler"):
            return
        for _ in range(40 * (sum(self.totals) + 50)):
            for name in sorted(self.flying):
                self._settle(name, OK)
            self.scheduler.read_on(self.now)
            self._note(self.scheduler.review(self.now))
            if not self._take():
                if self.scheduler.over:
                    break
                self.now = max(self.now, self.scheduler.due(self.now) or self.now)
        assert self.scheduler.over
        assert all(count == 1 for count in self.done.values())
        for queue, total in zip(self.scheduler.queues, self.totals, strict=True):
            ended = sum(name.startswith(f"{queue.name}-") for name in self.done)
            stopped = queue.parking is not None and queue.parking.until is None
            assert ended == total or stopped or self.scheduler.limited, "nothing is lost"
        if self.scheduler.limited:
            assert self.budget.spent == self.budget.size, "a limit stops nothing before it is reached"


SchedulerMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("PROMPTJOBS_FUZZ", "300")) // 3, stateful_step_count=50, deadline=None
)
TestScheduler = SchedulerMachine.TestCase
