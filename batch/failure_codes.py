"""The codes of ``error.code``: meaning, retries, and what each shows about the endpoint.

The code is the main classification of a failure. If an HTTP status or the server's own code says more, the
caller reads those too: ``scheduling.retry``, ``scheduling.fault_attribution`` and ``scheduling.quota``. Codes
that are not in the table, such as ``http_502``, are server errors: ``OTHER``.
"""

from __future__ import annotations

from batch.failure_traits import Evidence, FailureCode, Retried

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
WORKER_LOST = "worker_lost"

OTHER = FailureCode(
    "http_<status>", "A server error such as `http_500`, or 408, 409 or 425. 504 and 524 count as billed."
)
"""The entry for all codes without an entry of their own."""

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
    FailureCode(
        WORKER_LOST,
        "The worker that executed the attempt was lost (`--processes`, `--executor ray`). Sent again at "
        "once; the endpoint may have answered the first time, too.",
        retried=Retried.AT_ONCE,
        is_congestion=False,
    ),
    FailureCode(INTERNAL_ERROR, "A provider or decoder raised an exception: a bug.", retried=Retried.ONCE),
)
FAILURE_CODES = {code.name: code for code in (*NETWORK, *STATUSES, *ANSWERS, *LOCAL)}
"""The table of codes by name."""


def failure_code(name: str) -> FailureCode:
    """Return the entry of a code; ``OTHER`` if it has none of its own."""
    return FAILURE_CODES.get(name, OTHER)


def parks(name: str) -> bool:
    """Whether every other request to this endpoint would fail too."""
    return failure_code(name).retried is Retried.PARK


def is_final(name: str) -> bool:
    """Whether a retry would fail in the same way."""
    return failure_code(name).retried is Retried.NEVER


def retry_may_help(name: str) -> bool:
    """Whether a request that failed with the code may succeed unchanged in a later run."""
    return name == INPUT_CHANGED or failure_code(name).retried not in (Retried.NEVER, Retried.NOT_SENT)


def is_retried_once(name: str, *, finished: bool) -> bool:
    """Whether a request is retried only once; ``finished``: the server has ended its answer."""
    retried = failure_code(name).retried
    return retried is Retried.ONCE or (finished and retried is Retried.ONCE_IF_FINISHED)


def is_retried_at_once(name: str) -> bool:
    """Whether a retry need not wait."""
    return failure_code(name).retried is Retried.AT_ONCE


def is_outage(name: str) -> bool:
    """Whether the endpoint cannot be reached."""
    return failure_code(name).evidence is Evidence.OUTAGE


def is_suspect(name: str) -> bool:
    """Whether the code, without a status, may be the fault of the request or of the endpoint."""
    return failure_code(name).evidence is Evidence.SUSPECT


def is_unwanted_answer(name: str) -> bool:
    """Whether the endpoint has sent a complete answer that does not meet the requirements of the job."""
    return failure_code(name).evidence is Evidence.UNWANTED_ANSWER


def is_whole_answer(name: str) -> bool:
    """Whether the endpoint has sent a complete answer, although it is not a success."""
    return failure_code(name).evidence in (Evidence.WHOLE_ANSWER, Evidence.UNWANTED_ANSWER)


def is_congestion(name: str) -> bool | None:
    """Whether fewer requests at once could have avoided the failure; ``None``: the HTTP status decides."""
    return failure_code(name).is_congestion


def is_billable(name: str) -> bool:
    """Whether a model may have seen the request."""
    return failure_code(name).is_billable


def is_foreign(name: str) -> bool:
    """Whether servers of another kind fail in this way, if the endpoint is not known to be a chat server."""
    return failure_code(name).is_foreign
