"""The error codes of a result, and what they mean. The columns that code decides are computed from it."""

from __future__ import annotations

from dataclasses import dataclass

from batch.records import Failure
from batch.scheduling.quota import was_free
from batch.scheduling.retry import Fail, Parking, Retry, RetryPolicy, decide

PATIENT = RetryPolicy(max_attempts=4, validation_retries=2)
"""Enough attempts to tell one retry from several."""


@dataclass(frozen=True, slots=True)
class Code:
    """One code of ``error.code``, and what it means. ``status`` is an HTTP status that leads to it.

    ``sent``: a server may have received the request. ``retried`` and ``billed`` are given for codes of
    requests that are never sent, or that no retry policy decides about.
    """

    name: str
    meaning: str
    status: int | None = None
    retried: str = ""
    billed: str = ""

    def when_retried(self) -> str:
        """Whether the runner sends the request again in the same run."""
        return self.retried or _retried(Failure(self.name, "", http_status=self.status))

    def when_billed(self) -> str:
        """Whether ``limits.cost`` and ``limits.tokens`` count an attempt whose server reports no usage."""
        return self.billed or ("no" if was_free(Failure(self.name, "", http_status=self.status)) else "yes")


def _retried(failure: Failure) -> str:
    first = decide(PATIENT, failure, 0.0, lambda: 0.0)
    if isinstance(first, Parking):
        return "endpoint parked"
    if isinstance(first, Fail):
        return "no"
    second = decide(PATIENT, failure, 0.0, lambda: 0.0, earlier=[failure.code])
    return "yes" if isinstance(second, Retry) else "once"


NETWORK = (
    Code(
        "connect",
        "The connection was refused or timed out, or the host is unknown. An endpoint that has never "
        "answered is parked at once, since its address may be invalid.",
    ),
    Code("tls", "The TLS certificate of the server is not trusted."),
    Code("proxy_auth", "The proxy requires a user name and password (407)."),
    Code(
        "fd_limit",
        "The process has too many open files; see `ulimit -n`. The runner opens fewer connections.",
        retried="yes, not counted",
    ),
    Code("truncated", "The response ended before the answer was complete."),
    Code("protocol", "The server's HTTP is malformed."),
    Code("first_byte_timeout", "No model output within `timeouts.first_byte`."),
    Code("idle_timeout", "No further model output within `timeouts.idle`."),
    Code("total_timeout", "The attempt took longer than `timeouts.total`."),
)
STATUSES = (
    Code("auth", "401: the API key is invalid or missing.", 401),
    Code(
        "payment_required",
        "402: the account has no credit. The endpoint is parked if a check fails too.",
        402,
    ),
    Code("forbidden", "403: not allowed. The endpoint is parked if a check fails too.", 403),
    Code("quota", "The quota of the account is used up.", 429),
    Code("bad_request", "Any other 4xx: the server rejected the request as invalid.", 400),
    Code("redirect", "The server redirects. Redirects are never followed.", 302),
    Code(
        "http_429",
        "Rate limit. The request waits; it fails only after `max_attempts` rejections and `timeouts.outage`, "
        "with other requests answered since.",
        429,
        retried="yes, not counted",
    ),
    Code(
        "http_<status>",
        "A server error such as `http_500`, or 408, 409 or 425. 504 and 524 count as billed.",
        500,
    ),
    Code("api_error", "The server reported an error inside a 200 response.", billed="yes"),
)
ANSWERS = (
    Code("not_sse", "The response is neither an event stream nor JSON, such as an HTML page."),
    Code("bad_event", "An event is not valid JSON, or a field has a type that cannot be read."),
    Code("encoding", "The response is not valid UTF-8."),
    Code("too_large", "The response is larger than the limit."),
    Code("empty", "The server finished without any output. If it gave a finish reason: retried once."),
    Code("empty_length", "The token limit was reached before the answer began, for example by reasoning."),
    Code(
        "length",
        "The answer was cut off at its token limit, and `on_length` or `response_format` does not "
        "accept that. `on_length: retry` sends it once more.",
        retried="no",
    ),
    Code("filtered", "A content filter stopped the answer."),
    Code("broken_off", "The finish reason says that the answer broke off."),
    Code("unknown_finish", "The finish reason is not on the built-in list, nor in `finish_reasons`."),
    Code("invalid_output", "The answer does not match `response_format`. Up to `validation_retries`."),
)
LOCAL = (
    Code(
        "bad_row", "The row or document is invalid (`on_bad_row: skip`).", retried="never sent", billed="no"
    ),
    Code(
        "input_changed",
        "The row or document became unreadable during the run. The next run sends it.",
        retried="never sent",
        billed="no",
    ),
    Code("unencodable", "The result cannot be written as JSON.", retried="no", billed="yes"),
    Code("local_model", "The embedded endpoint stopped."),
    Code("internal_error", "A provider or decoder raised an exception: a bug.", retried="once"),
)
CODES = {"Network": NETWORK, "HTTP status": STATUSES, "Answer": ANSWERS, "This machine": LOCAL}
