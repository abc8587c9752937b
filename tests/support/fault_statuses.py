"""The fault matrix, rows 30 to 37: statuses other than 200, and proxies. Typed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.providers.timeouts import Timeouts
from batch.testing import (
    Reset,
    Send,
    Stall,
    head,
    status,
)
from tests.support.fault_support import Case, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.testing import Script
    from tests.support.fault_support import Framing

FINISHING = Timeouts(connect=10, first_byte=10, idle=10, finish=0.05)

BAD_JSON = b'{"error": {"message": "no", "code": "json_validate_failed", "failed_generation": "{"}}'
BAD_CALL = b'{"error": {"message": "no", "code": "tool_use_failed"}}'
RETRY_DELAY = (
    b'[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": ['
    b'{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}]}}]'
)
USED_UP_TODAY = (
    b'{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": ['
    b'{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": ['
    b'{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, '
    b'{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]}}'
)
USED_UP = b'{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}'


BLAME = "where the endpoint answers others: see below"


def says(code: int, body: bytes = b"", **headers: str) -> Callable[[Framing], Script]:
    """A play that answers with a status, in whatever framing."""
    return lambda _: status(code, body, **headers)


ROWS = [
    Row(
        30,
        "any redirect",
        "1",
        "F",
        "redirect",
        [Case(str(code), 1, says(code, b"", location="/elsewhere")) for code in (301, 302, 303, 307, 308)],
        note="never followed",
    ),
    Row(
        31,
        "400, 404, 405, 413, 415, 422 and other client errors",
        "1",
        "F",
        "bad_request",
        [
            Case(str(code), 1, says(code, b'{"error": "no"}'))
            for code in (400, 404, 405, 413, 415, 418, 422, 451)
        ],
    ),
    Row(
        32,
        "401",
        "1",
        "H",
        "auth",
        [
            Case("401", 1, says(401, b"no")),
            Case(
                "401, and its body never ends",
                1,
                lambda _: [Send(head(401, content_length="9")), Stall()],
                timeouts=FINISHING,
            ),
        ],
    ),
    Row(
        "31b",
        "400 that says that the model's output was invalid",
        "1",
        "R",
        "invalid_output",
        [
            Case("json_validate_failed", 1, says(400, BAD_JSON), text="{"),
            Case("tool_use_failed", 1, says(400, BAD_CALL)),
            Case("422", 1, says(422, BAD_CALL)),
        ],
        note="as an answer of the wrong form, up to `validation_retries`",
    ),
    Row(
        "32b",
        "402",
        "1",
        "F",
        "payment_required",
        [Case("402", 1, says(402))],
        note=BLAME,
    ),
    Row(
        "32b",
        "403",
        "1",
        "F",
        "forbidden",
        [Case("403", 1, says(403, b"no"))],
        note=BLAME,
    ),
    Row(
        33,
        "429 whose body says the quota is used up, in all or for the day",
        "1",
        "H",
        "quota",
        [
            Case("429", 1, says(429, USED_UP)),
            Case("429, for the day", 1, says(429, USED_UP_TODAY)),
            Case("429, back soon", 1, says(429, USED_UP, retry_after="30"), wait=(30, 30)),
        ],
        note="parked until Retry-After where that fits the deadline, else pending and exit 7",
    ),
    Row(
        34,
        "408, 409, 425, 500, 502, 503, 504, 520–524, 529",
        "1",
        "R",
        "http_<status>",
        [
            *(
                Case(str(code), 1, says(code, b"busy"), code=f"http_{code}")
                for code in (408, 409, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
            ),
            Case("Retry-After", 1, says(500, retry_after="7"), code="http_500", wait=(7, 8.4)),
        ],
        note=f"Retry-After obeyed to the letter, later by 0–20 %; {BLAME}",
    ),
    Row(
        "34b",
        "429, and 503 with a Retry-After, while others are answered",
        "1",
        "W",
        "http_<status>",
        [
            Case("429", 1, says(429, b"busy"), code="http_429"),
            Case("Retry-After", 1, says(429, retry_after="7"), code="http_429", wait=(7, 8.4)),
            Case("in ms", 1, says(503, retry_after_ms="7000"), code="http_503", wait=(7, 8.4)),
            Case(
                "503, and the connection breaks",
                1,
                lambda _: [Send(head(503, content_length="9", retry_after="7")), Reset()],
                code="http_503",
                wait=(7, 8.4),
            ),
        ],
        note="Retry-After obeyed to the letter, later by 0–20 %",
    ),
    Row(
        "34c",
        "Retry-After of zero, or below the backoff",
        "1",
        "R",
        "http_500",
        [Case(value, 1, says(500, retry_after=value), wait=(0.25, 0.5)) for value in ("0", "0.1")],
        note="not before half of the backoff without jitter",
    ),
    Row(
        "34d",
        "the wait stands in the body (`retryDelay`), or in `x-ratelimit-reset-*` with nothing left",
        "1",
        "W",
        "http_429",
        [
            Case("retryDelay", 1, says(429, RETRY_DELAY), wait=(7.5, 9)),
            Case("LiteLLM", 1, says(429, llm_provider_retry_after="7"), wait=(7, 8.4)),
            Case(
                "reset",
                1,
                says(429, x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="7s"),
                wait=(7, 8.4),
            ),
            Case(
                "a date, by the server's own clock",
                1,
                says(
                    429,
                    retry_after="Thu, 01 Jan 1970 00:00:07 GMT",
                    date="Thu, 01 Jan 1970 00:00:00 GMT",
                ),
                wait=(7, 8.4),
            ),
        ],
        note="as Retry-After",
    ),
    Row(
        35,
        "Retry-After over the request's patience",
        "1",
        "H",
        "http_<status>",
        [
            Case("429", 1, says(429, retry_after="120"), code="http_429", wait=(120, 144)),
            Case("503", 1, says(503, retry_after="600"), code="http_503", wait=(600, 720)),
        ],
        note="the endpoint is parked until then; in-flight work goes on",
    ),
    Row(
        36,
        "Retry-After garbage, negative or in the past",
        "1",
        "W",
        "http_<status>",
        [
            Case(
                value,
                1,
                says(429, retry_after=value),
                code="http_429",
                wait=(0, 0.5),
            )
            for value in ("soon", "-7", "Thu, 01 Jan 1970 00:00:00 GMT")
        ],
        note="own back-off",
    ),
    Row(
        37,
        "proxy says 407",
        "0",
        "H",
        "proxy_auth",
        [
            Case("to http", 0, says(407), setting="proxied"),
            Case("to https", 0, says(407), setting="tunnelled"),
        ],
    ),
    Row(
        37,
        "proxy can't connect",
        "0",
        "R",
        "connect",
        [
            Case("no proxy there", 0, setting="no proxy"),
            Case("it says 502", 0, says(502), setting="tunnelled"),
        ],
    ),
]
