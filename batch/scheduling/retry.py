"""What to do about a failed attempt: again, never again, or not before somebody has mended the endpoint.

The table is ``batch.failure_codes``. A code that it does not name is a server's own trouble: asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.exit_codes import EXIT_OUT, EXIT_REFUSED
from batch.failure_codes import (
    CONNECT,
    INVALID_OUTPUT,
    QUOTA,
    is_congestion,
    is_final,
    is_foreign,
    is_retried_once,
    is_unwanted_answer,
    parks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.records import Failure

WRONG_ADDRESS = frozenset({404, 405})
"""Statuses that speak against the address, as long as nothing has spoken for it."""

OVERLOAD_STATUSES = frozenset({408, 429, 503, 504, 524, 529})
"""What a server answers that has more to do than it can."""

JITTER = 0.2
"""How much later than a Retry-After, at most, as a share of it."""

FLOOR = 0.5
"""The share of the backoff without jitter that a Retry-After cannot shorten: a zero must not be a storm."""


class RetryPolicy(Struct, frozen=True):
    """Attempts a request may have, and the back-off between them: seconds, doubling from base to cap.

    A server that wants to be left alone for more than ``longest_wait`` is out for this run. The run sends
    until ``deadline``, on the engine's clock; ``None``: without end. ``validation_retries`` are for answers
    of the wrong form.
    """

    max_attempts: int = 8
    base: float = 0.5
    cap: float = 60.0
    longest_wait: float = 1800.0
    deadline: float | None = None
    validation_retries: int = 2


class Retry(Struct, frozen=True):
    """Ask again at ``at``."""

    at: float


class Fail(Struct, frozen=True):
    """Give the request up. ``retryable``: another run may fare better."""

    code: str
    retryable: bool


class Parking(Struct, frozen=True):
    """Send nothing more to the endpoint until ``until``, or in this run where that is ``None``."""

    code: str
    why: str
    until: float | None = None
    exit_code: int = EXIT_REFUSED


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
    """The decision after one failed attempt.

    ``earlier`` are the codes of the attempts that failed before it, ``random`` gives numbers from [0, 1),
    ``proven`` says whether the endpoint has ever given an answer that only a working one gives.
    """
    if must_park(failure) or (not proven and speaks_against_the_address(failure)):
        return _park(policy, failure, now, attempts=len(earlier) + 1)
    if not is_retryable(failure):
        return Fail(failure.code, retryable=False)
    if _used_up(policy, failure, earlier):
        return Fail(failure.code, retryable=True)
    if is_unwanted_answer(failure.code):
        return Retry(now)
    return wait(policy, failure, len(earlier), now, random)


def wait(
    policy: RetryPolicy, failure: Failure, failures: int, now: float, random: Callable[[], float]
) -> Retry | Parking:
    """When to send again after ``failures`` earlier failures: as the server says, or by backoff.

    A short wait is the request's own, a longer one parks the endpoint, the longest ends its run.
    """
    if failure.retry_after is None:
        return Retry(now + backoff(policy, failures, random))
    if failure.retry_after > policy.longest_wait:
        return Parking(failure.code, failure.message, exit_code=EXIT_OUT)
    at = max(
        not_before(failure.retry_after, now, random), now + FLOOR * backoff(policy, failures, lambda: 1.0)
    )
    if failure.retry_after > policy.cap:
        return Parking(failure.code, failure.message, until=at)
    return Retry(at)


def status_of(failure: Failure) -> int | None:
    """The HTTP status, or the one that an error names which came in place of an answer."""
    if failure.http_status is not None or has_begun(failure):
        return failure.http_status
    return failure.error_status


def has_begun(failure: Failure) -> bool:
    """Whether the model had said something by then."""
    return failure.first_byte is not None or bool(failure.partial_text)


def must_park(failure: Failure) -> bool:
    """Whether every other request would get the same, whatever it asks."""
    return parks(failure.code) or status_of(failure) == 401


def is_retryable(failure: Failure) -> bool:
    """Whether another attempt, or another run, may fare better."""
    if failure.should_retry is not None:
        return failure.should_retry
    return not is_final(failure.code)


def speaks_against_the_address(failure: Failure) -> bool:
    """Whether it says that there is nothing here to be asked, if nothing else has been heard from it."""
    return failure.code == CONNECT or failure.http_status in WRONG_ADDRESS


def speaks_of_another_server(failure: Failure) -> bool:
    """Whether what answered is no chat server at all, if it is not known to be one."""
    return is_foreign(failure.code) or failure.http_status in (415, 501)


def shows_overload(failure: Failure) -> bool:
    """Whether less at once would have helped. Retrying is another question.

    A quota and a rate, where the server says that nothing is left of it, are not helped by that.
    """
    by_code = is_congestion(failure.code)
    if by_code is False or (failure.rate is not None and failure.rate.remaining <= 0):
        return False
    return by_code or failure.http_status in OVERLOAD_STATUSES or failure.overloaded


def backoff(policy: RetryPolicy, failures: int, random: Callable[[], float]) -> float:
    """Seconds to wait after ``failures`` earlier failures: exponential with full jitter."""
    return random() * float(min(policy.cap, policy.base * 2 ** min(failures, 63)))


def not_before(seconds: float, now: float, random: Callable[[], float]) -> float:
    """When to ask a server again that wants a pause of so many seconds: never all at once."""
    return now + seconds * (1 + JITTER * random())


def _used_up(policy: RetryPolicy, failure: Failure, earlier: Sequence[str]) -> bool:
    once = is_retried_once(failure.code, finished=failure.finished)
    if failure.code == INVALID_OUTPUT and earlier.count(INVALID_OUTPUT) >= policy.validation_retries:
        return True
    return len(earlier) + 1 >= policy.max_attempts or (once and failure.code in earlier)


def _park(policy: RetryPolicy, failure: Failure, now: float, attempts: int) -> Parking:
    """A quota may come back within the run; a wrong key, certificate or address does not mend itself."""
    if failure.code != QUOTA or failure.retry_after is None or attempts >= policy.max_attempts:
        return Parking(failure.code, failure.message)
    until = now + failure.retry_after
    ends = now + policy.longest_wait if policy.deadline is None else policy.deadline
    return Parking(failure.code, failure.message, until=until if until <= ends else None)
