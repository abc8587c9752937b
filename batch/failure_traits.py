"""What can be said of a failure code: whether it is retried, and what it shows about the endpoint.

The table of ``failure_codes`` says it of each.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct


class Retried(Enum):
    """Whether a request that failed with a code is sent again in the same run."""

    BY_BUDGET = auto()
    """Up to ``max_attempts``."""
    AT_ONCE = auto()
    """Up to ``max_attempts``, without backoff: nothing has to recover."""
    ONCE = auto()
    """A server that fails in this way twice will continue to."""
    ONCE_IF_FINISHED = auto()
    """Once if the server has finished its answer, else up to ``max_attempts``."""
    UNCHARGED = auto()
    """The request waits and is sent again; this does not count as an attempt of the request."""
    NEVER = auto()
    """A retry would fail in the same way."""
    PARK = auto()
    """Every other request would fail too, so the endpoint is parked and the request stays pending."""
    NOT_SENT = auto()
    """The request is not sent at all."""


class Evidence(Enum):
    """What a code shows about the endpoint that it came from."""

    BY_STATUS = auto()
    """Only the HTTP status decides; without one, nothing is known."""
    OUTAGE = auto()
    """The endpoint cannot be reached: the request is never at fault."""
    SUSPECT = auto()
    """Either the request or the endpoint may be at fault."""
    WHOLE_ANSWER = auto()
    """The server has sent a complete answer, so the endpoint works."""
    UNWANTED_ANSWER = auto()
    """The server has sent a complete answer, which does not meet the requirements of this job."""


class FailureCode(Struct, frozen=True):
    """One failure code.

    ``is_congestion``: fewer requests at once could have avoided the failure; ``None``: the HTTP status
    decides. ``is_billable``: a model may have seen the request; the HTTP status of an error may override
    this. ``is_foreign``: servers of another kind fail in this way, if the endpoint is not known to be a chat
    server.
    """

    name: str
    meaning: str
    retried: Retried = Retried.BY_BUDGET
    evidence: Evidence = Evidence.BY_STATUS
    is_congestion: bool | None = None
    is_billable: bool = True
    is_foreign: bool = False
