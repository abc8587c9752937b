"""Attribution of a failed attempt to the request or the endpoint, by code and status alone.

The terms are those of the rules in ``docs/faults.md``, "Whose fault". A failure is *suspect* if either the
request or the endpoint may have caused it; an answer to a later request is the *proof* that decides.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from batch.failure_codes import is_outage, is_suspect, is_unwanted_answer, is_whole_answer
from batch.records import Failure, Reply
from batch.scheduling.retry import has_begun, must_park, status_of

if TYPE_CHECKING:
    from batch.records import Outcome


class Kind(Enum):
    """What a failure shows about its request and its endpoint."""

    PARK = auto()
    """Always the endpoint: an invalid key, an untrusted certificate, a used-up quota."""
    UNREACHABLE = auto()
    """Always the endpoint: no connection, or no file descriptor for one."""
    REFUSED = auto()
    """The endpoint, for now: too many requests (429, or 503 with a ``Retry-After``)."""
    TROUBLE = auto()
    """Suspect: a server error, 408, or a first-byte timeout."""
    DENIED = auto()
    """Suspect: 402 or 403."""
    REJECTED = auto()
    """The request (400, 422), unless all requests get the same."""
    OWN = auto()
    """The request."""


SUSPECT = frozenset({Kind.TROUBLE, Kind.DENIED})


def kind_of(failure: Failure) -> Kind:
    """Return the kind of a failure. An attempt that began to answer shows that the endpoint works."""
    if must_park(failure):
        return Kind.PARK
    if is_outage(failure.code):
        return Kind.UNREACHABLE
    if has_begun(failure) or is_unwanted_answer(failure.code):
        return Kind.OWN
    return _kind_by_status(failure, status_of(failure))


def _kind_by_status(failure: Failure, status: int | None) -> Kind:
    if is_suspect(failure.code):
        return Kind.TROUBLE
    if status is None:
        return Kind.OWN
    if status == 429 or (status == 503 and failure.retry_after is not None):
        return Kind.REFUSED
    if status == 408 or (status >= 500 and status != 501):
        return Kind.TROUBLE
    if status in (402, 403):
        return Kind.DENIED
    return Kind.REJECTED if status in (400, 422) and not failure.about_request else Kind.OWN


def is_proof(outcome: Outcome) -> bool:
    """Whether only a working endpoint gives this outcome: a first delta, or a complete answer."""
    if isinstance(outcome, Reply):
        return True
    return has_begun(outcome) or is_whole_answer(outcome.code)
