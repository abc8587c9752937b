"""A lane, whatever happens on its endpoint, in whatever order."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from batch.policy.lane import Lane, look_ahead
from batch.policy.retry import Fail, Hold, Retry, RetryPolicy
from batch.policy.work import Again, Out, Work
from batch.records import Failure, Outcome, Rate, Reply, Request, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.policy.work import Settlement

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
]
FATAL: list[Outcome] = [
    Failure("auth", "wrong key", http_status=401),
    Failure("bad_request", "no", http_status=404),
]


def request(number: int) -> Request:
    return Request(str(number), "f", "m", "m", ())


class LaneMachine(RuleBasedStateMachine):
    """Takes and settles as the runner would, and keeps books of its own."""

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
        self.flying: dict[str, Work] = {}
        self.waiting: dict[str, float] = {}
        self.done: Counter[str] = Counter()
        self.lane = Lane(
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
        self.lane.read_on(self.now)

    @rule()
    def take(self) -> None:
        work = self.lane.take(self.now)
        if work is not None:
            name = work.request.id
            assert name not in self.flying, "nothing is under way twice"
            assert name not in self.done, "what has ended stays ended"
            assert self.waiting.pop(name, 0.0) <= self.now, "nobody goes before his time"
            self.flying[name] = work

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
        work = self.flying.pop(name)
        settlement: Settlement = self.lane.settle(work, outcome, self.now)
        assert (settlement is None) == isinstance(outcome, Reply)
        assert len(work.failures) <= self.attempts
        if settlement is None or isinstance(settlement, Fail):
            self.done[name] += 1
        elif isinstance(settlement, Retry):
            assert settlement.at >= self.now
            self.waiting[name] = settlement.at
        else:
            assert isinstance(settlement, Hold | Out | Again)

    @rule(seconds=st.sampled_from([0.01, 1.0, 30.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def pass_time_until_due(self) -> None:
        self.now = max(self.now, self.lane.due(self.now) or 0.0)

    @invariant()
    def bounds_hold(self) -> None:
        lane = self.lane
        assert lane.in_flight == len(self.flying) <= self.limit
        assert lane.waiting <= self.limit + look_ahead(self.limit)
        assert all(count == 1 for count in self.done.values())
        assert self.read - len(self.done) <= 2 * self.limit + look_ahead(self.limit), "memory is bounded"

    @invariant()
    def it_goes_on_or_is_over(self) -> None:
        """With nothing under way there is a time at which the next request goes out: no hang, no spin."""
        lane, now = self.lane, self.now
        if self.flying:
            return
        for _ in range(6):
            reads = lane.read_on(now)
            work = lane.take(now)
            if work is not None:
                self.flying[work.request.id] = work
                self.waiting.pop(work.request.id, None)
                return
            if lane.over:
                return
            due = lane.due(now)
            assert due is not None
            assert due > now or reads or lane.behind, "a look that finds nothing comes back later"
            now = self.now = due
        raise AssertionError("nothing goes out at the time that was promised")

    def teardown(self) -> None:
        """Let the endpoint work from now on: everything ends, once, unless the lane was stopped for good."""
        if not hasattr(self, "lane"):
            return
        for _ in range(50 * (self.total + 10)):
            for name in sorted(self.flying):
                self._settle(name, OK)
            work = self.lane.take(self.now)
            if work is not None:
                self.waiting.pop(work.request.id, None)
                self.flying[work.request.id] = work
            elif self.lane.over:
                break
            elif self.lane.read_on(self.now):
                continue
            else:
                self.now = max(self.now, self.lane.due(self.now) or self.now)
        assert self.lane.over
        held = self.lane.held
        if held is None or held.until is not None:
            assert self.done == Counter(str(number) for number in range(self.total)), "nothing is lost"


LaneMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("PROMPTJOBS_FUZZ", "300")) // 3, stateful_step_count=60, deadline=None
)
TestLane = LaneMachine.TestCase


def lane(total: int = 1000, limit: int = 20, attempts: int = 8) -> Lane:
    return Lane(
        "m",
        map(request, range(total)),
        limit=limit,
        policy=RetryPolicy(max_attempts=attempts),
        outage=1800,
        random=lambda: 0.5,
    )


def prove(it: Lane) -> None:
    pilot = it.take(0)
    assert pilot is not None
    it.settle(pilot, OK, 0)


def take_all(it: Lane, now: float) -> list[Work]:
    taken = []
    while (work := it.take(now)) is not None:
        taken.append(work)
    return taken


BUSY = Failure("http_503", "busy", http_status=503)


def test_the_failures_that_showed_an_outage_are_charged_to_nobody() -> None:
    it = lane(attempts=3)
    prove(it)
    works = take_all(it, 0)
    for work in works[:10]:
        it.settle(work, BUSY, 0)
    assert it.pool.first.out_since == 0
    assert [work.failures for work in works[:10]] == [[]] * 10


def test_not_even_those_of_one_request_that_failed_twice() -> None:
    it = lane(attempts=3)
    prove(it)
    works = take_all(it, 0)
    it.settle(works[0], BUSY, 0)
    again = next(work for work in take_all(it, 60) if work is works[0])
    it.settle(again, BUSY, 60)
    for work in works[1:10]:
        it.settle(work, BUSY, 60)
    assert it.pool.first.out_since == 60
    assert works[0].failures == []


@pytest.mark.parametrize("between", [OK, Failure("http_429", "slow", http_status=429)])
def test_nine_failures_and_something_else_are_no_outage(between: Outcome) -> None:
    it = lane()
    prove(it)
    works = take_all(it, 0)
    for work in works[:9]:
        it.settle(work, BUSY, 0)
    it.settle(works[9], between, 0)
    it.settle(works[10], BUSY, 0)
    assert it.pool.first.out_since is None


@pytest.mark.parametrize(
    "failure",
    [
        Failure("not_sse", "a page"),
        Failure("truncated", "cut before anything was said"),
        Failure("bad_request", "not found", http_status=404),
    ],
    ids=lambda failure: failure.code,
)
def test_a_probe_that_shows_no_recovery_is_charged_to_nobody_and_followed_by_a_pause(
    failure: Failure,
) -> None:
    it = lane(attempts=1)
    prove(it)
    for work in take_all(it, 0):
        it.settle(work, Failure("connect", "refused"), 0)
    (probe,) = take_all(it, 100)
    assert isinstance(it.settle(probe, failure, 100), Again)
    assert probe.failures == []
    assert take_all(it, 100) == []
    due = it.due(100)
    assert due is not None
    assert due > 100
    assert len(take_all(it, due)) == 1


def test_the_first_success_reopens_from_one_slot() -> None:
    it = lane()
    prove(it)
    for work in take_all(it, 0):
        it.settle(work, Failure("connect", "refused"), 0)
    assert it.pool.first.out_since is not None
    (probe,) = take_all(it, 100)
    it.settle(probe, OK, 100)
    assert len(take_all(it, 100)) == 1


def test_an_outage_that_the_server_wants_to_be_longer_than_ours_ends_the_run_at_once() -> None:
    it = lane()
    prove(it)
    works = take_all(it, 0)
    for work in works[:10]:
        it.settle(work, BUSY, 0)
    for work in works[10:]:
        it.settle(work, BUSY, 1)
    (probe,) = take_all(it, 100)
    assert isinstance(it.settle(probe, replace(BUSY, retry_after=1000.0), 100), Again)
    assert it.due(100) == 1200, "a tenth later than it says"
    (probe,) = take_all(it, 1200)
    settlement = it.settle(probe, replace(BUSY, retry_after=601.0), 1200)
    assert isinstance(settlement, Hold)
    assert settlement.exit_code == 75


def test_a_stream_from_before_an_outage_that_breaks_off_is_no_end_of_it() -> None:
    it = lane()
    prove(it)
    works = take_all(it, 0)
    for work in works[:10]:
        it.settle(work, BUSY, 1)
    for work in works[10:]:
        it.settle(work, Failure("idle_timeout", "silence", first_byte=0.3), 120)
    assert it.pool.first.out_since == 1
    (probe,) = take_all(it, 200)
    it.settle(probe, Failure("idle_timeout", "silence", first_byte=0.3), 320)
    assert it.pool.first.out_since is None, "a probe that began to answer shows that it works"
