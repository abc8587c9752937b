"""The codes of ``error.code``: what each means, whether it is retried, and what it says about its endpoint.

A code is the first thing that a failure says. Where an HTTP status or the server's own words say more, the
caller reads those too: ``scheduling.retry``, ``scheduling.fault_attribution`` and ``scheduling.quota``.
Codes that are not in the table, such as ``http_502``, are those of a server error: ``OTHER``.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct

CONNECT = "connect"
FD_LIMIT = "fd_limit"
QUOTA = "quota"
HTTP_429 = "http_429"
INVALID_OUTPUT = "invalid_output"
LENGTH = "length"
EMPTY_LENGTH = "empty_length"
UNKNOWN_FINISH = "unknown_finish"
BAD_ROW = "bad_row"
INPUT_CHANGED = "input_changed"
UNENCODABLE = "unencodable"
INTERNAL_ERROR = "internal_error"


class Retried(Enum):
    """Whether a request that failed with a code is sent again in the same run."""

    BY_BUDGET = auto()
    """Up to ``max_attempts``."""
    ONCE = auto()
    """A server that does it twice will go on doing it."""
    ONCE_IF_FINISHED = auto()
    """Once if the server says that it has finished, else up to ``max_attempts``."""
    UNCHARGED = auto()
    """It waits and is sent again; that does not count as an attempt of the request."""
    NEVER = auto()
    """The next attempt would give the same."""
    PARK = auto()
    """Every other request would get the same, so the endpoint is parked and the request stays pending."""
    NOT_SENT = auto()
    """The request is not sent at all."""


class Evidence(Enum):
    """What a code says by itself about the endpoint that it came from."""

    BY_STATUS = auto()
    """Only what the HTTP status says; without one, nothing."""
    OUTAGE = auto()
    """The endpoint cannot be reached: this is never the request's fault."""
    SUSPECT = auto()
    """Either the request or the endpoint may be at fault."""
    WHOLE_ANSWER = auto()
    """The answer is whole as far as the server says, so the endpoint works."""
    UNWANTED_ANSWER = auto()
    """The same, and the answer is fine but for what this job asks of it."""


class FailureCode(Struct, frozen=True):
    """One code.

    ``is_congestion``: whether fewer requests at once could have avoided it; ``None``: the HTTP status says.
    ``is_billable``: whether a model may have seen the request; an HTTP status of an error says more.
    ``is_foreign``: a server of another kind gives this, while the endpoint is not known to be a chat server.
    """

    name: str
    meaning: str
    retried: Retried = Retried.BY_BUDGET
    evidence: Evidence = Evidence.BY_STATUS
    is_congestion: bool | None = None
    is_billable: bool = True
    is_foreign: bool = False


OTHER = FailureCode(
    "http_<status>", "A server error such as `http_500`, or 408, 409 or 425. 504 and 524 count as billed."
)
"""Stands for all codes that have no line of their own."""

NETWORK = (
    FailureCode(
        CONNECT,
        "The connection was refused or timed out, or the host is unknown. An endpoint that has never "
        "answered is parked at once, since its address may be invalid.",
        evidence=Evidence.OUTAGE,
        is_billable=False,
    ),
    FailureCode(
        "tls",
        "The TLS certificate of the server is not trusted.",
        retried=Retried.PARK,
        is_billable=False,
    ),
    FailureCode(
        "proxy_auth",
        "The proxy requires a user name and password (407).",
        retried=Retried.PARK,
        is_billable=False,
    ),
    FailureCode(
        FD_LIMIT,
        "The process has too many open files; see `ulimit -n`. The runner opens fewer connections.",
        retried=Retried.UNCHARGED,
        evidence=Evidence.OUTAGE,
        is_billable=False,
    ),
    FailureCode("truncated", "The response ended before the answer was complete."),
    FailureCode(
        "protocol",
        "The server's HTTP is malformed.",
        retried=Retried.ONCE,
        is_foreign=True,
    ),
    FailureCode(
        "first_byte_timeout",
        "No model output within `timeouts.first_byte`.",
        evidence=Evidence.SUSPECT,
        is_congestion=True,
    ),
    FailureCode("idle_timeout", "No further model output within `timeouts.idle`.", is_congestion=True),
    FailureCode("total_timeout", "The attempt took longer than `timeouts.total`.", is_congestion=True),
)
STATUSES = (
    FailureCode("auth", "401: the API key is invalid or missing.", retried=Retried.PARK),
    FailureCode(
        "payment_required",
        "402: the account has no credit. The endpoint is parked if a check fails too.",
        retried=Retried.NEVER,
    ),
    FailureCode(
        "forbidden", "403: not allowed. The endpoint is parked if a check fails too.", retried=Retried.NEVER
    ),
    FailureCode(QUOTA, "The quota of the account is used up.", retried=Retried.PARK, is_congestion=False),
    FailureCode(
        "bad_request",
        "Any other 4xx: the server rejected the request as invalid.",
        retried=Retried.NEVER,
    ),
    FailureCode(
        "redirect",
        "The server redirects. Redirects are never followed.",
        retried=Retried.NEVER,
        is_foreign=True,
    ),
    FailureCode(
        HTTP_429,
        "Rate limit. The request waits; it fails only after `max_attempts` rejections and `timeouts.outage`, "
        "with other requests answered since.",
        retried=Retried.UNCHARGED,
    ),
    OTHER,
    FailureCode("api_error", "The server reported an error inside a 200 response."),
)
ANSWERS = (
    FailureCode(
        "not_sse",
        "The response is neither an event stream nor JSON, such as an HTML page.",
        is_foreign=True,
    ),
    FailureCode(
        "bad_event",
        "An event is not valid JSON, or a field has a type that cannot be read.",
        retried=Retried.ONCE,
    ),
    FailureCode("encoding", "The response is not valid UTF-8.", retried=Retried.ONCE),
    FailureCode("too_large", "The response is larger than the limit.", retried=Retried.NEVER),
    FailureCode(
        "empty",
        "The server finished without any output. If it gave a finish reason: retried once.",
        retried=Retried.ONCE_IF_FINISHED,
    ),
    FailureCode(
        EMPTY_LENGTH,
        "The token limit was reached before the answer began, for example by reasoning.",
        retried=Retried.NEVER,
        evidence=Evidence.WHOLE_ANSWER,
    ),
    FailureCode(
        LENGTH,
        "The answer was cut off at its token limit, and `on_length` or `response_format` does not "
        "accept that. `on_length: retry` sends it once more.",
        retried=Retried.NEVER,
        evidence=Evidence.UNWANTED_ANSWER,
    ),
    FailureCode(
        "filtered",
        "A content filter stopped the answer.",
        retried=Retried.NEVER,
        evidence=Evidence.WHOLE_ANSWER,
    ),
    FailureCode("broken_off", "The finish reason says that the answer broke off."),
    FailureCode(
        UNKNOWN_FINISH,
        "The finish reason is not on the built-in list, nor in `finish_reasons`.",
        retried=Retried.NEVER,
        evidence=Evidence.WHOLE_ANSWER,
    ),
    FailureCode(
        INVALID_OUTPUT,
        "The answer does not match `response_format`. Up to `validation_retries`.",
        evidence=Evidence.UNWANTED_ANSWER,
    ),
)
LOCAL = (
    FailureCode(
        BAD_ROW,
        "The row or document is invalid (`on_bad_row: skip`).",
        retried=Retried.NOT_SENT,
        is_billable=False,
    ),
    FailureCode(
        INPUT_CHANGED,
        "The row or document became unreadable during the run. The next run sends it.",
        retried=Retried.NOT_SENT,
        is_billable=False,
    ),
    FailureCode(UNENCODABLE, "The result cannot be written as JSON.", retried=Retried.NEVER),
    FailureCode("local_model", "The embedded endpoint stopped.", retried=Retried.PARK),
    FailureCode(INTERNAL_ERROR, "A provider or decoder raised an exception: a bug.", retried=Retried.ONCE),
)
FAILURE_CODES = {code.name: code for code in (*NETWORK, *STATUSES, *ANSWERS, *LOCAL)}
"""The table, by name."""


def failure_code(name: str) -> FailureCode:
    """The line of a code; ``OTHER`` where it has none of its own."""
    return FAILURE_CODES.get(name, OTHER)


def parks(name: str) -> bool:
    """Whether every other request would get the same from this endpoint."""
    return failure_code(name).retried is Retried.PARK


def is_final(name: str) -> bool:
    """Whether another attempt would give the same."""
    return failure_code(name).retried is Retried.NEVER


def is_retried_once(name: str, *, finished: bool) -> bool:
    """Whether one more attempt is all that a request gets; ``finished``: the server has ended its answer."""
    retried = failure_code(name).retried
    return retried is Retried.ONCE or (finished and retried is Retried.ONCE_IF_FINISHED)


def is_outage(name: str) -> bool:
    """Whether the endpoint cannot be reached."""
    return failure_code(name).evidence is Evidence.OUTAGE


def is_suspect(name: str) -> bool:
    """Whether the code alone, without a status, may be the fault of the request or of the endpoint."""
    return failure_code(name).evidence is Evidence.SUSPECT


def is_unwanted_answer(name: str) -> bool:
    """Whether the endpoint has given a whole answer, which is not what the job wants."""
    return failure_code(name).evidence is Evidence.UNWANTED_ANSWER


def is_whole_answer(name: str) -> bool:
    """Whether the answer is whole as far as the server says, though it is no success."""
    return failure_code(name).evidence in (Evidence.WHOLE_ANSWER, Evidence.UNWANTED_ANSWER)


def is_congestion(name: str) -> bool | None:
    """Whether fewer requests at once could have avoided it; ``None``: the HTTP status says."""
    return failure_code(name).is_congestion


def is_billable(name: str) -> bool:
    """Whether a model may have seen the request."""
    return failure_code(name).is_billable


def is_foreign(name: str) -> bool:
    """Whether a server of another kind gives this, while the endpoint is not known to be a chat server."""
    return failure_code(name).is_foreign
