"""The decision for each failure code, and its time: the table is typed from the matrix by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.records import Failure
from batch.scheduling.retry import Fail, Parking, Retry, RetryPolicy, backoff, decide

POLICY = RetryPolicy(max_attempts=5, base=0.5, cap=60.0)
NOW = 1000.0


def fate(failure: Failure, *, proven: bool = True) -> tuple[str, int, str]:
    """The outcome's letter, the attempts that it took, and the last code, if it always fails the same."""
    earlier: list[str] = []
    while True:
        decision = decide(POLICY, failure, NOW, lambda: 0.5, earlier=earlier, proven=proven)
        if isinstance(decision, Parking):
            return "H", len(earlier) + 1, decision.code
        earlier.append(failure.code)
        if isinstance(decision, Fail):
            return ("R" if decision.retryable else "F"), len(earlier), decision.code


RETRIED = [
    "connect",
    "truncated",
    "first_byte_timeout",
    "idle_timeout",
    "total_timeout",
    "api_error",
    "not_sse",
    *(f"http_{status}" for status in (408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)),
]


@pytest.mark.parametrize("code", RETRIED)
def test_a_temporary_failure_is_retried_up_to_max_attempts(code: str) -> None:
    assert fate(Failure(code, "")) == ("R", 5, code)


@pytest.mark.parametrize("code", ["protocol", "bad_event", "encoding"])
def test_failures_that_are_retried_only_once(code: str) -> None:
    assert fate(Failure(code, "")) == ("R", 2, code)


def test_an_empty_body_is_retried_but_an_empty_answer_only_once() -> None:
    assert fate(Failure("empty", "", finished=False)) == ("R", 5, "empty")
    assert fate(Failure("empty", "", finished=True)) == ("R", 2, "empty")


def test_another_failure_in_between_does_not_count_as_a_repetition() -> None:
    protocol = Failure("protocol", "")
    assert isinstance(decide(POLICY, protocol, NOW, lambda: 0, earlier=["truncated", "http_500"]), Retry)
    assert decide(POLICY, protocol, NOW, lambda: 0, earlier=["protocol", "http_500"]) == Fail(
        "protocol", retryable=True
    )


@pytest.mark.parametrize(
    "code",
    [
        "too_large",
        "filtered",
        "redirect",
        "bad_request",
        "forbidden",
        "payment_required",
        "unknown_finish",
        "empty_length",
    ],
)
def test_permanent_failures_are_not_retried(code: str) -> None:
    assert fate(Failure(code, "")) == ("F", 1, code)


@pytest.mark.parametrize("code", ["tls", "auth", "quota", "proxy_auth"])
@pytest.mark.parametrize("proven", [True, False])
def test_an_endpoint_that_rejects_all_requests_is_parked(code: str, proven: bool) -> None:
    assert fate(Failure(code, "no"), proven=proven) == ("H", 1, code)
    parking = decide(POLICY, Failure(code, "no"), NOW, lambda: 0, proven=proven)
    assert parking == Parking(code, "no", until=None, exit_code=7)


@pytest.mark.parametrize("status", [404, 405])
def test_a_wrong_address_is_parked_unless_it_has_worked(status: int) -> None:
    failure = Failure("bad_request", "no", http_status=status)
    assert fate(failure, proven=False) == ("H", 1, "bad_request")
    assert fate(failure, proven=True) == ("F", 1, "bad_request")


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_request_confirms_the_address(status: int) -> None:
    assert fate(Failure("bad_request", "no", http_status=status), proven=False) == ("F", 1, "bad_request")


def test_an_immediately_refused_connection_suggests_a_wrong_address() -> None:
    assert fate(Failure("connect", "refused"), proven=False) == ("H", 1, "connect")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure("http_503", "", should_retry=False), ("F", 1, "http_503")),
        (Failure("api_error", "", should_retry=False), ("F", 1, "api_error")),
        (Failure("bad_request", "", should_retry=True), ("R", 5, "bad_request")),
        (Failure("auth", "", should_retry=True), ("H", 1, "auth")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_x_should_retry_is_obeyed_except_for_parking(
    failure: Failure, expected: tuple[str, int, str]
) -> None:
    assert fate(failure) == expected


# When


def decided(retry_after: float | None, random: float, code: str = "http_429", **more: Any) -> Any:
    return decide(POLICY, Failure(code, "no", retry_after=retry_after), NOW, lambda: random, **more)


@pytest.mark.parametrize(
    ("retry_after", "random", "expected"),
    [
        (30, 0.0, Retry(NOW + 30)),
        (30, 1.0, Retry(NOW + 36)),
        (0, 1.0, Retry(NOW + 0.25)),
        (0.1, 0.0, Retry(NOW + 0.25)),
        (0.25, 0.0, Retry(NOW + 0.25)),
        (60, 0.0, Retry(NOW + 60)),
        (120, 0.0, Parking("http_429", "no", until=NOW + 120)),
        (120, 1.0, Parking("http_429", "no", until=NOW + 144)),
        (None, 1.0, Retry(NOW + 0.5)),
        (None, 0.0, Retry(NOW)),
    ],
)
def test_retry_after_is_always_observed_and_beyond_the_longest_wait_parks_the_endpoint(
    retry_after: float | None, random: float, expected: Retry | Parking
) -> None:
    assert decided(retry_after, random) == expected


def test_a_quota_that_recovers_soon_is_waited_for() -> None:
    assert decided(30, 0.0, "quota") == Parking("quota", "no", until=NOW + 30)
    assert decided(1800, 0.0, "quota") == Parking("quota", "no", until=NOW + 1800)
    assert decided(1801, 0.0, "quota") == Parking("quota", "no", until=None)
    assert decided(30, 0.0, "quota", earlier=["quota"] * 4) == Parking("quota", "no", until=None)


@pytest.mark.parametrize(("retry_after", "until"), [(7200, NOW + 7200), (7201, None)])
def test_a_quota_that_recovers_within_the_time_of_the_run_is_waited_for(
    retry_after: float, until: float | None
) -> None:
    policy = RetryPolicy(deadline=NOW + 7200)
    used_up = Failure("quota", "no", retry_after=retry_after)
    assert decide(policy, used_up, NOW, lambda: 0.0) == Parking("quota", "no", until=until)


@given(st.floats(0, 1800), st.floats(0, 1, exclude_max=True))
def test_retries_are_never_earlier_than_asked_nor_more_than_a_fifth_later(
    seconds: float, random: float
) -> None:
    decision = decided(seconds, random)
    at = decision.at if isinstance(decision, Retry) else decision.until
    assert NOW + seconds <= at <= max(NOW + 0.25, (NOW + seconds * 1.2) * (1 + 1e-12))


@pytest.mark.parametrize(
    ("failures", "least"), [(0, 0.25), (1, 0.5), (2, 1.0), (5, 8.0), (7, 30.0), (100, 30.0)]
)
def test_a_retry_after_of_zero_does_not_shorten_the_wait_to_nothing(failures: int, least: float) -> None:
    policy = RetryPolicy(max_attempts=1000)
    slow = Failure("http_500", "", retry_after=0)
    assert decide(policy, slow, NOW, lambda: 0.9, earlier=["http_500"] * failures) == Retry(NOW + least)


def test_the_back_off_doubles_up_to_its_cap() -> None:
    longest = [backoff(POLICY, failures, lambda: 1.0) for failures in range(9)]
    assert longest == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff(POLICY, 10**9, lambda: 1.0) == 60


@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_the_jitter_is_full(failures: int, random: float) -> None:
    assert backoff(POLICY, failures, lambda: random) == random * backoff(POLICY, failures, lambda: 1.0)


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_the_attempts_are_bounded(attempts: int) -> None:
    policy = RetryPolicy(max_attempts=attempts)
    earlier = ["http_500"] * (attempts - 1)
    last = decide(policy, Failure("http_500", "", retry_after=3600), NOW, lambda: 0, earlier=earlier)
    assert last == Fail("http_500", retryable=True)
