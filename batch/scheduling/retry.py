"""Retry decisions: retry, fail, or park the endpoint until its cause is repaired.

The table is ``batch.failure_codes``. A code that is not in it is a server error, which is retried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.exit_codes import REFUSED, UNAVAILABLE
from batch.failure_codes import (
    CONNECT,
    INVALID_OUTPUT,
    QUOTA,
    is_final,
    is_foreign,
    is_retried_at_once,
    is_retried_once,
    is_unwanted_answer,
    parks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.records import Failure

WRONG_ADDRESS = frozenset({404, 405})
"""Statuses that suggest an invalid address, while the endpoint has never worked."""

JITTER = 0.2
"""Maximum delay beyond a Retry-After, as a share of it."""

FLOOR = 0.5
"""Minimum share of the backoff that remains with a Retry-After: a zero must not cause a retry storm."""


class RetryPolicy(Struct, frozen=True):
    """The limits on attempts, and the backoff between them in seconds, doubling from base to cap.

    A server that asks to wait longer than ``longest_wait`` is parked for the run. The run sends until
    ``deadline``, on the engine's clock; ``None``: no deadline. ``validation_retries`` are for answers that do
    not match the response format.
    """

    max_attempts: int = 8
    base: float = 0.5
    cap: float = 60.0
    longest_wait: float = 1800.0
    deadline: float | None = None
    validation_retries: int = 2


class Retry(Struct, frozen=True):
    """Retry at ``at``."""

    at: float


class Fail(Struct, frozen=True):
    """Fail the request. ``retryable``: another run may succeed."""

    code: str
    retryable: bool


class Parking(Struct, frozen=True):
    """Send nothing to the endpoint until ``until``, or for the rest of the run if that is ``None``."""

    code: str
    why: str
    until: float | None = None
    exit_code: int = REFUSED


RetryDecision: TypeAlias = Retry | Fail | Parking


def decide(
    policy: RetryPolicy,
    failure: Failure,
    now: float,
    random: Callable[[], float],
    *,
    earlier: Sequence[str] = (),
    proven: bool = True,
) -> RetryDecision:
    """Return the decision after one failed attempt.

    ``earlier`` are the codes of the earlier failed attempts. ``random`` returns numbers from [0, 1).
    ``proven``: the endpoint has given an answer that only a working one gives.
    """
    if must_park(failure) or (not proven and suggests_wrong_address(failure)):
        return _park(policy, failure, now, attempts=len(earlier) + 1)
    if not is_retryable(failure):
        return Fail(failure.code, retryable=False)
    if _used_up(policy, failure, earlier):
        return Fail(failure.code, retryable=True)
    if is_unwanted_answer(failure.code) or is_retried_at_once(failure.code):
        return Retry(now)
    return wait(policy, failure, len(earlier), now, random)


def wait(
    policy: RetryPolicy, failure: Failure, failures: int, now: float, random: Callable[[], float]
) -> Retry | Parking:
    """Return when to retry after ``failures`` earlier failures: as the server says, or by backoff.

    A short wait delays only the request, a longer one parks the endpoint, the longest parks it for the run.
    """
    if failure.retry_after is None:
        return Retry(now + backoff(policy, failures, random))
    if failure.retry_after > policy.longest_wait:
        return Parking(failure.code, failure.message, exit_code=UNAVAILABLE)
    at = max(
        not_before(failure.retry_after, now, random), now + FLOOR * backoff(policy, failures, lambda: 1.0)
    )
    if failure.retry_after > policy.cap:
        return Parking(failure.code, failure.message, until=at)
    return Retry(at)


def status_of(failure: Failure) -> int | None:
    """Return the HTTP status, or the status in an error that arrived in place of an answer."""
    if failure.http_status is not None or has_begun(failure):
        return failure.http_status
    return failure.error_status


def has_begun(failure: Failure) -> bool:
    """Whether model output had arrived."""
    return failure.first_byte is not None or bool(failure.partial_text)


def must_park(failure: Failure) -> bool:
    """Whether every other request would get the same failure."""
    return parks(failure.code) or status_of(failure) == 401


def is_retryable(failure: Failure) -> bool:
    """Whether another attempt or another run may succeed."""
    if failure.should_retry is not None:
        return failure.should_retry
    return not is_final(failure.code)


def suggests_wrong_address(failure: Failure) -> bool:
    """Whether the failure suggests an invalid address, if the endpoint has never worked."""
    return failure.code == CONNECT or failure.http_status in WRONG_ADDRESS


def speaks_of_another_server(failure: Failure) -> bool:
    """Whether another kind of server answered, if the endpoint is not known to be a chat server."""
    return is_foreign(failure.code) or failure.http_status in (415, 501)


def backoff(policy: RetryPolicy, failures: int, random: Callable[[], float]) -> float:
    """Return the seconds to wait after ``failures`` failures: exponential backoff with full jitter."""
    return random() * float(min(policy.cap, policy.base * 2 ** min(failures, 63)))


def not_before(seconds: float, now: float, random: Callable[[], float]) -> float:
    """Return when to retry after a pause that a server asks for; jitter avoids synchronized retries."""
    return now + seconds * (1 + JITTER * random())


def _used_up(policy: RetryPolicy, failure: Failure, earlier: Sequence[str]) -> bool:
    once = is_retried_once(failure.code, finished=failure.finished)
    if failure.code == INVALID_OUTPUT and earlier.count(INVALID_OUTPUT) >= policy.validation_retries:
        return True
    return len(earlier) + 1 >= policy.max_attempts or (once and failure.code in earlier)


def _park(policy: RetryPolicy, failure: Failure, now: float, attempts: int) -> Parking:
    """Return the parking: a quota may recover within the run; an invalid key or address does not."""
    if failure.code != QUOTA or failure.retry_after is None or attempts >= policy.max_attempts:
        return Parking(failure.code, failure.message)
    until = now + failure.retry_after
    ends = now + policy.longest_wait if policy.deadline is None else policy.deadline
    return Parking(failure.code, failure.message, until=until if until <= ends else None)
