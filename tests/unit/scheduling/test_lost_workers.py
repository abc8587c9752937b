"""An attempt that is lost with its worker process: retried at once, and paid for."""

from __future__ import annotations

from batch.failure_codes import WORKER_LOST
from batch.records import Failure
from batch.scheduling.adaptive_limiter import shows_overload
from batch.scheduling.fault_attribution import Kind, is_proof, kind_of
from batch.scheduling.quota import was_free
from batch.scheduling.retry import Fail, Retry, RetryPolicy, decide

LOST = Failure(WORKER_LOST, "the worker process 7 ended during the attempt (SIGKILL)", about_request=True)


def test_it_is_sent_again_at_once_up_to_the_number_of_attempts() -> None:
    policy = RetryPolicy(max_attempts=3)
    for earlier in ([], [WORKER_LOST]):
        assert decide(policy, LOST, 10.0, lambda: 1.0, earlier=earlier) == Retry(10.0)
    given = decide(policy, LOST, 10.0, lambda: 1.0, earlier=[WORKER_LOST] * 2)
    assert given == Fail(WORKER_LOST, retryable=True)


def test_it_shows_nothing_about_the_endpoint() -> None:
    assert kind_of(LOST) is Kind.OWN
    assert not is_proof(LOST)
    assert not shows_overload(LOST)


def test_its_reservation_counts_as_spent() -> None:
    assert not was_free(LOST)
