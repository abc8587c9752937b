"""The transition table: each transition occurs, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.circuit_breaker import CircuitBreaker
from batch.scheduling.circuit_states import TRANSITIONS, Change, State
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.known_good_requests import References
from batch.scheduling.retry import Parking, RetryPolicy
from batch.scheduling.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

OK = Reply("fine", Verdict.COMPLETE, "stop")
BUSY = Failure("http_503", "busy", http_status=503)
REFUSED = Failure("connect", "refused")
OUTCOMES: list[Outcome] = [
    OK,
    BUSY,
    REFUSED,
    Failure("http_503", "busy", http_status=503, retry_after=30.0),
    Failure("http_429", "slow", http_status=429),
    Failure("first_byte_timeout", "silence"),
    Failure("forbidden", "flagged", http_status=403),
    Failure("bad_request", "no", http_status=400),
    Failure("auth", "wrong key", http_status=401),
    Failure("truncated", "cut", first_byte=0.1),
    Failure("not_sse", "a page"),
    Failure("fd_limit", "too many open files"),
]


class Recorded(CircuitBreaker):
    """A breaker that records its transitions."""

    changes: list[tuple[State, Change, State]]

    def enter(self, change: Change) -> None:
        before = self.circuit
        super().enter(change)
        self.changes.append((before, change, self.circuit))


class Endpoint:
    """A breaker whose attempts are sent one after the other."""

    def __init__(self, *, has_reference: bool = True) -> None:
        self.breaker = Recorded(
            "m",
            limit=100,
            limiter=FixedLimiter(100),
            policy=RetryPolicy(max_attempts=3),
            outage=600,
            random=lambda: 0.5,
            references=References(request("earlier") if has_reference else None),
        )
        self.breaker.changes = []
        self.now = 0.0
        self.number = 0

    def __call__(self, *outcomes: Outcome) -> Endpoint:
        """One attempt after the other, a second apart: a check where one is wanted."""
        for outcome in outcomes:
            self.now += 1.0
            self.number += 1
            is_check = self.breaker.wants_check(self.now)
            row = request(str(self.number))
            task = Task(row, row, "m", "m", self.now, is_check=is_check)
            self.breaker.sent(task, self.now)
            self.breaker.settled(task, outcome, self.now)
        return self

    def only_suspects_left(self) -> Endpoint:
        """Only suspects are left to send."""
        self.breaker.nothing_else(self.now)
        return self

    def parked_for_a_page_and_another_works(self) -> Endpoint:
        """It is parked because of its first request, and another endpoint of the pool has worked."""
        self.breaker.park(Parking("not_sse", "a page"))
        self.breaker.give_another_chance(self.now)
        return self


def request(name: str) -> Request:
    return Request(name, "f", "m", "m", ())


Scenario = tuple[State, Change, State, "Callable[[], Endpoint]"]
SCENARIOS: list[Scenario] = [
    (State.UNPROVEN, Change.PROOF, State.CLOSED, lambda: Endpoint()(OK)),
    (State.HALF_OPEN, Change.PROOF, State.CLOSED, lambda: Endpoint()(OK, *[BUSY] * 5, OK)),
    (State.OPEN, Change.PROOF, State.CLOSED, lambda: Endpoint()(OK, REFUSED, OK)),
    (State.CLOSED, Change.CHECK_NEEDED, State.HALF_OPEN, lambda: Endpoint()(OK, *[BUSY] * 5)),
    (
        State.CLOSED,
        Change.CHECK_NEEDED,
        State.HALF_OPEN,
        lambda: Endpoint()(OK, BUSY).only_suspects_left(),
    ),
    (
        State.HALF_OPEN,
        Change.NO_CHECK_POSSIBLE,
        State.CLOSED,
        lambda: Endpoint(has_reference=False)(OK, *[BUSY] * 5).only_suspects_left(),
    ),
    (State.UNPROVEN, Change.OUTAGE, State.OPEN, lambda: Endpoint(has_reference=False)(BUSY, BUSY)),
    (State.CLOSED, Change.OUTAGE, State.OPEN, lambda: Endpoint()(OK, REFUSED)),
    (State.HALF_OPEN, Change.OUTAGE, State.OPEN, lambda: Endpoint()(OK, *[BUSY] * 5, BUSY)),
    (
        State.OPEN,
        Change.OUTAGE,
        State.OPEN,
        lambda: Endpoint(has_reference=False)(BUSY, BUSY).parked_for_a_page_and_another_works(),
    ),
]


@pytest.mark.parametrize(("before", "change", "after", "play"), SCENARIOS)
def test_the_last_change(before: State, change: Change, after: State, play: Callable[[], Endpoint]) -> None:
    breaker = play().breaker
    assert breaker.changes[-1] == (before, change, after)
    assert (breaker.circuit, breaker.is_in_doubt) == (after, after is not State.CLOSED)


def test_the_table_has_these_transitions_and_no_others() -> None:
    assert {(before, change): after for before, change, after, _ in SCENARIOS} == TRANSITIONS


def test_parking_covers_the_state_of_the_circuit() -> None:
    breaker = Endpoint()(OK).breaker
    breaker.park(Parking("http_429", "later", until=60.0))
    assert (breaker.state, breaker.circuit) == (State.PARKED, State.CLOSED)
    assert breaker.is_open(61.0)
    assert breaker.state is State.CLOSED


@given(
    has_reference=st.booleans(),
    moves=st.lists(st.sampled_from([*OUTCOMES, "only suspects left", "another works"]), max_size=40),
)
def test_whatever_happens_each_change_is_in_the_table(
    has_reference: bool, moves: list[Outcome | str]
) -> None:
    it = Endpoint(has_reference=has_reference)
    for move in moves:
        if move == "only suspects left":
            it.only_suspects_left()
        elif move == "another works":
            it.breaker.give_another_chance(it.now)
        elif not isinstance(move, str):
            it(move)
    states = [State.UNPROVEN, *(after for _, _, after in it.breaker.changes)]
    assert [before for before, _, _ in it.breaker.changes] == states[:-1], "no change goes past the table"
    assert it.breaker.circuit is states[-1]
