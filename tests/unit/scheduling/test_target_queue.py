"""A queue with random events on its endpoint in random order."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from batch.records import Failure, Outcome, Rate, Reply, Request, Verdict
from batch.scheduling.decisions import Decision, Failed, Requeue, RetryAt, Suspend
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.target_queue import TargetQueue, look_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.scheduling.task import Task

OK = Reply("fine", Verdict.COMPLETE, "stop")

OUTCOMES: list[Outcome] = [
    OK,
    replace(OK, rate=Rate(0, 20.0)),
    replace(OK, rate=Rate(3, 20.0)),
    Failure("connect", "refused"),
    Failure("first_byte_timeout", "silence"),
    Failure("http_503", "busy", http_status=503),
    Failure("http_503", "busy", http_status=503, retry_after=20.0),
    Failure("http_429", "slow", http_status=429),
    Failure("http_429", "slow", http_status=429, retry_after=20.0),
    Failure("http_429", "slow", http_status=429, retry_after=500.0),
    Failure("truncated", "cut"),
    Failure("truncated", "cut", first_byte=0.1),
    Failure("bad_event", "no JSON", first_byte=0.1),
    Failure("bad_request", "no", http_status=400),
    Failure("quota", "used up", http_status=429, retry_after=30.0),
    Failure("fd_limit", "too many open files"),
    Failure("forbidden", "flagged", http_status=403),
    Failure("payment_required", "pay", http_status=402),
    Failure("unknown_finish", "done", first_byte=0.1),
]
FATAL: list[Outcome] = [
    Failure("auth", "wrong key", http_status=401),
    Failure("bad_request", "no", http_status=404),
]


def name_of(task: Task) -> str:
    """Return the key of an attempt in the records: a check does not count for its request."""
    return "check" if task.is_check else task.request.id


def request(number: int) -> Request:
    return Request(str(number), "f", "m", "m", ())


class QueueMachine(RuleBasedStateMachine):
    """Takes and settles tasks like the runner, and keeps its own records."""

    @initialize(
        total=st.integers(0, 150),
        limit=st.integers(1, 12),
        attempts=st.integers(1, 8),
        chance=st.floats(0, 0.99),
        sparse=st.booleans(),
    )
    def open(self, total: int, limit: int, attempts: int, chance: float, sparse: bool) -> None:
        self.sparse = sparse
        self.total, self.limit, self.attempts = total, limit, attempts
        self.now = 0.0
        self.read = 0
        self.flying: dict[str, Task] = {}
        self.waiting: dict[str, float] = {}
        self.done: Counter[str] = Counter()
        self.queue = TargetQueue(
            "m",
            self._requests(),
            limit=limit,
            policy=RetryPolicy(max_attempts=attempts),
            outage=3600,
            random=lambda: chance,
        )

    def _requests(self) -> Iterator[Request | None]:
        for number in range(self.total):
            self.read += 1
            for _ in range(number % 3 if self.sparse else 0):
                yield None
            yield request(number)

    @rule()
    def read_on(self) -> None:
        self.queue.read_on(self.now)

    @rule()
    def take(self) -> None:
        task = self.queue.take(self.now)
        if task is not None:
            name = name_of(task)
            assert name not in self.flying, "no request is in flight twice"
            assert name not in self.done, "what has ended stays ended"
            assert self.waiting.pop(name, 0.0) <= self.now, "no request is sent before its time"
            self.flying[name] = task

    @rule()
    def fill(self) -> None:
        while len(self.flying) < self.limit:
            before = len(self.flying)
            self.take()
            if len(self.flying) == before:
                return

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
    @rule(outcome=st.sampled_from(FATAL))
    def settle_fatally(self, outcome: Outcome) -> None:
        self._settle(min(self.flying), outcome)

    def _settle(self, name: str, outcome: Outcome) -> None:
        task = self.flying.pop(name)
        decisions = self.queue.settle(task, outcome, self.now)
        assert len(task.failures) <= self.attempts
        if isinstance(outcome, Reply) and not task.is_check:
            self.done[name] += 1
        elif not task.is_check:
            own = [each for each in decisions if getattr(each, "task", None) is task]
            assert isinstance(own[-1], Failed | RetryAt | Requeue | Suspend), "its fate is decided"
        self._note(decisions)

    def _note(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Failed):
                self.done[decision.task.request.id] += 1
            elif isinstance(decision, RetryAt):
                assert decision.at >= self.now
                self.waiting[decision.task.request.id] = decision.at

    @rule(seconds=st.sampled_from([0.01, 1.0, 30.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def pass_time_until_due(self) -> None:
        self.now = max(self.now, self.queue.due(self.now) or 0.0)

    @invariant()
    def bounds_hold(self) -> None:
        queue = self.queue
        assert queue.in_flight == len(self.flying) <= self.limit
        assert queue.waiting <= self.limit + look_ahead(self.limit)
        assert all(count == 1 for count in self.done.values())
        assert self.read - len(self.done) <= 2 * self.limit + look_ahead(self.limit), "memory is bounded"

    @invariant()
    def it_goes_on_or_is_over(self) -> None:
        """With nothing in flight there is a time at which the next request is sent."""
        queue, now = self.queue, self.now
        if self.flying:
            return
        for _ in range(6):
            reads = queue.read_on(now)
            task = queue.take(now)
            if task is not None:
                self.flying[name_of(task)] = task
                self.waiting.pop(task.request.id, None)
                return
            decisions = queue.review(now)
            self._note(decisions)
            if queue.over:
                return
            due = queue.due(now)
            assert due is not None
            assert due > now or reads or queue.behind or decisions, (
                "a look that finds nothing comes back later"
            )
            now = self.now = due
        raise AssertionError("nothing goes out at the time that was promised")

    def teardown(self) -> None:
        """Let the endpoint work: every request ends once, unless the queue was stopped for the run."""
        if not hasattr(self, "queue"):
            return
        for _ in range(50 * (self.total + 10)):
            for name in sorted(self.flying):
                self._settle(name, OK)
            self._note(self.queue.review(self.now))
            task = self.queue.take(self.now)
            if task is not None:
                self.waiting.pop(task.request.id, None)
                self.flying[name_of(task)] = task
            elif self.queue.over:
                break
            elif self.queue.read_on(self.now):
                continue
            else:
                self.now = max(self.now, self.queue.due(self.now) or self.now)
        assert self.queue.over
        parking = self.queue.parking
        if parking is None or parking.until is not None:
            assert self.done == Counter(str(number) for number in range(self.total)), "nothing is lost"


QueueMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("PROMPTJOBS_FUZZ", "300")) // 3, stateful_step_count=60, deadline=None
)
TestTargetQueue = QueueMachine.TestCase


def queue(total: int = 1000, limit: int = 20, attempts: int = 8) -> TargetQueue:
    return TargetQueue(
        "m",
        map(request, range(total)),
        limit=limit,
        policy=RetryPolicy(max_attempts=attempts),
        outage=1800,
        random=lambda: 0.5,
    )


def prove(it: TargetQueue) -> None:
    pilot = it.take(0)
    assert pilot is not None
    it.settle(pilot, OK, 0)


def take_all(it: TargetQueue, now: float) -> list[Task]:
    taken = []
    while (task := it.take(now)) is not None:
        taken.append(task)
    return taken
