"""The circuit breaker of an endpoint: the next state for each state and event. Typed from the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batch.records import Failure, Outcome, Reply, Request, Verdict
from batch.scheduling.circuit_breaker import CircuitBreaker, State
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.known_good_requests import References
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.task import Task

if TYPE_CHECKING:
    from batch.scheduling.circuit_steps import Step

OK = Reply("fine", Verdict.COMPLETE, "stop")
BUSY = Failure("http_503", "busy", http_status=503)
LATER = replace(BUSY, retry_after=30.0)
SILENT = Failure("first_byte_timeout", "silence")
FLAGGED = Failure("forbidden", "flagged", http_status=403)
UNPAID = Failure("payment_required", "no credit", http_status=402)
WRONG_KEY = Failure("auth", "wrong key", http_status=401)
REFUSED = Failure("connect", "refused")
SLOW = Failure("http_429", "slow", http_status=429)
REJECTED = Failure("bad_request", "no", http_status=400, server_code="model")
OTHERWISE = replace(REJECTED, server_code="params")
TOO_LONG = replace(REJECTED, about_request=True)
CUT = Failure("truncated", "cut", first_byte=0.1)
CUT_UNSEEN = Failure("truncated", "cut")
IN_PLACE = Failure("api_error", "overloaded", error_status=529)
AFTER_TEXT = replace(IN_PLACE, first_byte=0.1)
NO_KEY_INSIDE = Failure("api_error", "wrong key", error_status=401)


class Endpoint:
    """A breaker, and what was sent through it."""

    def __init__(self, *, has_reference: bool = False) -> None:
        earlier = request("earlier") if has_reference else None
        self.references = References(earlier)
        self.breaker = CircuitBreaker(
            "m",
            limit=100,
            limiter=FixedLimiter(100),
            policy=RetryPolicy(max_attempts=3),
            outage=600,
            random=lambda: 0.5,
            references=self.references,
        )
        self.now = 0.0
        self.number = 0
        self.steps: list[Step] = []

    def is_in(self, state: State) -> bool:
        """Whether the circuit is in a state."""
        return self.breaker.state is state

    def send(self, *, is_check: bool = False) -> Task:
        """Send another request, or a check."""
        self.number += 1
        row = request(str(self.number))
        task = Task(row, row, "m", "m", self.now, is_check=is_check)
        self.breaker.sent(task, self.now)
        return task

    def end(self, task: Task, outcome: Outcome) -> list[str]:
        """Settle an attempt; the names of the steps that follow."""
        self.steps = self.breaker.settled(task, outcome, self.now)
        if isinstance(outcome, Reply) and not task.is_check:
            self.references.learn(task.request)
        return [type(each).__name__ for each in self.steps]

    def __call__(self, *outcomes: Outcome) -> list[str]:
        """Send one attempt after the other, each as soon as it may be sent."""
        names: list[str] = []
        for outcome in outcomes:
            is_check = self.breaker.wants_check(self.now)
            if not is_check and not self.breaker.is_open(self.now):
                times = (self.breaker.due(self.now), self.breaker.check_due(self.now))
                self.now = min(each for each in times if each is not None)
                is_check = self.breaker.wants_check(self.now)
            names = self.end(self.send(is_check=is_check), outcome)
        return names


def request(name: str) -> Request:
    return Request(name, "f", "m", "m", ())


def proven() -> Endpoint:
    it = Endpoint()
    it(OK)
    return it


@pytest.mark.parametrize(
    ("outcomes", "state", "steps"),
    [
        ([OK], State.CLOSED, []),
        ([CUT], State.CLOSED, ["Charge"]),
        ([AFTER_TEXT], State.CLOSED, ["Charge"]),
        ([CUT_UNSEEN], State.UNPROVEN, ["Charge"]),
        ([BUSY], State.UNPROVEN, ["Suspend"]),
        ([IN_PLACE], State.UNPROVEN, ["Suspend"]),
        ([BUSY, OK], State.CLOSED, ["Blamed", "Charge"]),
        ([FLAGGED, OK], State.CLOSED, ["Blamed", "Charge"]),
        ([REJECTED, OK], State.CLOSED, ["Blamed", "Charge"]),
        ([BUSY, SILENT], State.OPEN, ["Requeue", "Requeue", "CircuitOpened"]),
        ([BUSY, FLAGGED, BUSY], State.OPEN, ["Requeue", "Requeue", "Requeue", "CircuitOpened"]),
        ([LATER], State.OPEN, ["Requeue", "CircuitOpened"]),
        ([SLOW], State.UNPROVEN, ["Delay"]),
        ([WRONG_KEY], State.UNPROVEN, ["Charge"]),
        ([NO_KEY_INSIDE], State.UNPROVEN, ["Charge"]),
        ([REFUSED], State.UNPROVEN, ["Charge"]),
        ([REJECTED] * 4, State.UNPROVEN, ["Suspend"]),
        ([REJECTED] * 5, State.PARKED, ["Requeue"] * 5 + ["Park"]),
        ([REJECTED, OTHERWISE] * 3, State.UNPROVEN, ["Suspend"]),
        ([TOO_LONG] * 20, State.UNPROVEN, ["Charge"]),
        ([FLAGGED] * 7, State.UNPROVEN, ["Suspend"]),
        ([FLAGGED] * 8, State.PARKED, ["Requeue"] * 8 + ["Park"]),
        ([UNPAID, FLAGGED] * 4, State.PARKED, ["Requeue"] * 8 + ["Park"]),
    ],
)
def test_an_endpoint_that_has_never_answered(outcomes: list[Outcome], state: State, steps: list[str]) -> None:
    it = Endpoint()
    assert (it(*outcomes), it.breaker.state) == (steps, state)


@pytest.mark.parametrize("failure", [BUSY, SILENT, FLAGGED, UNPAID, IN_PLACE], ids=lambda it: it.code)
def test_four_suspects_wait_and_the_fifth_starts_a_check(failure: Failure) -> None:
    it = proven()
    tasks = [it.send() for _ in range(5)]
    assert [it.end(task, failure) for task in tasks[:4]] == [["Suspend"]] * 4
    assert it.is_in(State.CLOSED)
    assert it.end(tasks[4], failure) == ["Suspend", "CheckStarted"]
    assert it.is_in(State.HALF_OPEN)
    assert it.breaker.wants_check(it.now)
    assert not it.breaker.is_open(it.now), "sending pauses"


def in_doubt(failure: Failure = BUSY) -> Endpoint:
    it = proven()
    for task in [it.send() for _ in range(5)]:
        it.end(task, failure)
    return it


@pytest.mark.parametrize(
    ("outcome", "state", "steps"),
    [
        (OK, State.CLOSED, ["Blamed"] + ["Charge"] * 5),
        (CUT, State.CLOSED, ["Blamed"] + ["Charge"] * 5),
        (BUSY, State.OPEN, ["Requeue"] * 5 + ["CircuitOpened"]),
        (SILENT, State.OPEN, ["Requeue"] * 5 + ["CircuitOpened"]),
        (REFUSED, State.OPEN, ["Requeue"] * 5 + ["CircuitOpened"]),
        (LATER, State.OPEN, ["Requeue"] * 5 + ["CircuitOpened"]),
        (FLAGGED, State.PARKED, ["Requeue"] * 5 + ["Park"]),
        (UNPAID, State.PARKED, ["Requeue"] * 5 + ["Park"]),
        (WRONG_KEY, State.PARKED, ["Requeue"] * 5 + ["Park"]),
        (SLOW, State.HALF_OPEN, []),
        (REJECTED, State.HALF_OPEN, []),
        (CUT_UNSEEN, State.HALF_OPEN, []),
    ],
)
def test_what_a_check_decides(outcome: Outcome, state: State, steps: list[str]) -> None:
    it = in_doubt()
    assert (it(outcome), it.breaker.state) == (steps, state)


def test_three_checks_that_fail_otherwise_park_the_endpoint() -> None:
    it = in_doubt()
    assert it(REJECTED, CUT_UNSEEN, REJECTED) == ["Requeue"] * 5 + ["Park"]
    assert it.breaker.parking is not None
    assert it.breaker.parking.exit_code == 7


def test_a_refused_check_is_sent_again_when_the_server_has_capacity() -> None:
    it = in_doubt()
    it(replace(SLOW, retry_after=20.0))
    assert not it.breaker.wants_check(19)
    assert it.breaker.check_due(0) == 22
    assert it(OK)[0] == "Blamed"


def test_the_number_of_suspects_doubles_with_each_answered_check_and_falls_after_a_hundred_answers() -> None:
    it, numbers = proven(), []
    for _ in range(7):
        suspects = 0
        while it.breaker.state is State.CLOSED:
            it.end(it.send(), BUSY)
            suspects += 1
        numbers.append(suspects)
        it(OK)
    assert numbers == [5, 10, 20, 40, 80, 160, 320]
    for _ in range(100):
        it(OK)
    for task in [it.send() for _ in range(5)]:
        it.end(task, BUSY)
    assert it.breaker.state is State.HALF_OPEN


def test_an_answer_to_an_earlier_request_is_not_proof() -> None:
    it = proven()
    early = it.send()
    suspect = it.send()
    assert it.end(suspect, BUSY) == ["Suspend"]
    assert it.end(early, OK) == []
    late = it.send()
    assert it.end(late, OK) == ["Blamed", "Charge"]


@pytest.mark.parametrize("failure", [SLOW, REJECTED, CUT_UNSEEN], ids=lambda it: it.code)
def test_outcomes_that_are_not_proof(failure: Failure) -> None:
    it = proven()
    it.end(it.send(), BUSY)
    assert "Blamed" not in it(failure)
    assert it(OK)[:1] == ["Blamed"]


@pytest.mark.parametrize(
    ("outcome", "state", "steps"),
    [
        (OK, State.CLOSED, ["CircuitClosed"]),
        (CUT, State.CLOSED, ["CircuitClosed"]),
        (BUSY, State.OPEN, []),
        (REFUSED, State.OPEN, []),
        (CUT_UNSEEN, State.OPEN, []),
        (REJECTED, State.OPEN, []),
        (SLOW, State.OPEN, []),
        (FLAGGED, State.PARKED, ["Park"]),
        (WRONG_KEY, State.PARKED, ["Park"]),
    ],
)
def test_what_a_probe_shows(outcome: Outcome, state: State, steps: list[str]) -> None:
    it = in_doubt()
    it(BUSY)
    assert it.breaker.state is State.OPEN
    assert (it(outcome), it.breaker.state) == (steps, state)


def test_connections_that_are_refused_open_the_circuit_without_a_check() -> None:
    it = proven()
    first, second, _ = it.send(), it.send(), it.send()
    assert it.end(first, REFUSED) == ["Suspend"]
    assert it.end(second, REFUSED) == ["Requeue", "Requeue", "CircuitOpened"]


def test_a_single_refused_connection_opens_the_circuit_if_nothing_else_is_in_flight() -> None:
    it = proven()
    assert it(REFUSED) == ["Requeue", "CircuitOpened"]


def test_a_single_refused_connection_among_answers_is_charged_to_the_request() -> None:
    it = proven()
    refused, _ = it.send(), it.send()
    assert it.end(refused, REFUSED) == ["Suspend"]
    assert it(OK) == ["Blamed", "Charge"]


def test_five_requests_that_maintenance_refuses_open_the_circuit_until_then() -> None:
    it = proven()
    tasks = [it.send() for _ in range(5)]
    assert [it.end(task, LATER) for task in tasks[:4]] == [["Delay"]] * 4
    assert it.end(tasks[4], LATER) == ["Requeue", "CircuitOpened"]
    assert it.breaker.check_due(0) == 33, "a tenth later than it says"


def test_after_the_time_of_an_outage_the_endpoint_is_parked() -> None:
    it = in_doubt()
    it(BUSY)
    while it.breaker.state is State.OPEN:
        it(BUSY)
    assert 600 <= it.now <= 660
    assert it.breaker.parking is not None
    assert it.breaker.parking.exit_code == 75


def test_an_outage_continues_if_only_checks_were_answered() -> None:
    it = proven()
    it(REFUSED)
    it(OK)  # the probe
    assert it.breaker.state is State.CLOSED
    it.now += 300
    it(REFUSED)
    assert it.breaker.opened_at == 0


def test_the_reference_of_an_earlier_run_comes_second() -> None:
    it = Endpoint(has_reference=True)
    assert not it.breaker.wants_check(0)
    it.end(it.send(), BUSY)
    assert it.breaker.wants_check(0)
    assert it.breaker.reference().id == "earlier"
    assert it.end(it.send(is_check=True), OK) == ["Blamed", "Charge"]


def test_rejections_need_no_check() -> None:
    it = Endpoint(has_reference=True)
    it.end(it.send(), REJECTED)
    assert not it.breaker.wants_check(0)
    assert it.breaker.is_open(0)


def test_only_suspects_left() -> None:
    it = proven()
    suspect = it.send()
    it.end(suspect, BUSY)
    assert [type(each).__name__ for each in it.breaker.nothing_else(0)] == ["CheckStarted"]
    assert it(OK) == ["Blamed", "Charge"]
    suspect.failures.append("http_503")
    it.breaker.sent(suspect, 0)
    it.end(suspect, BUSY)
    assert [type(each).__name__ for each in it.breaker.nothing_else(0)] == ["Charge"], (
        "it was convicted before"
    )
