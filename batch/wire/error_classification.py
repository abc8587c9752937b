"""Classification of errors: from a status or an error object to a failure code.

Errors are distinguished by status, ``code`` and ``type``, never by the wording of a message.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from batch.failure_codes import INVALID_OUTPUT, QUOTA
from batch.records import Failure
from batch.wire.retry_body import has_daily_quota, wait_in_body
from batch.wire.retry_headers import retry_after, should_retry, used_up_for
from batch.wire.text import join

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_MESSAGE = 500
"""Maximum number of characters of a server's message that are kept."""

TRANSIENT = frozenset({408, 409, 425, 429})
"""The temporary client errors: every other one concerns the request itself, and is permanent."""

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "quota_exceeded",
        "exceeded_current_quota_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "credit_balance_too_low",
    }
)
REQUEST_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "request_too_large",
        "string_above_max_length",
        "content_policy_violation",
        "content_filter",
        "ResponsibleAIPolicyViolation",
        "data_inspection_failed",
        "DataInspectionFailed",
        "invalid_prompt",
        "image_parse_error",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_url",
        "invalid_base64_image",
        "image_too_large",
        "unsupported_image_media_type",
    }
)
"""Codes that can only concern the request that was sent."""

INVALID_CODES = REQUEST_CODES | {
    "invalid_request_error",
    "invalid_request",
    "model_not_found",
    "not_found_error",
    "BadRequestError",
    "NotFoundError",
}
OUTPUT_CODES = frozenset(
    {
        "json_validate_failed",
        "json_schema_validation_failed",
        "tool_use_failed",
        "output_parse_failed",
        "invalid_model_output",
        "model_output_invalid",
        "malformed_model_output",
    }
)
"""Codes of a server that validates the model's output and found it invalid (Groq and compatible servers)."""

OVERLOAD_CODES = frozenset(
    {
        "408",
        "429",
        "503",
        "504",
        "524",
        "529",
        "overloaded",
        "overloaded_error",
        "rate_limit_error",
        "rate_limit_exceeded",
        "engine_overloaded",
        "server_overloaded",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
    }
)
"""Codes of an overloaded server."""

_STATUS = re.compile(r"[45]\d\d", re.ASCII)


def from_status(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Failure:
    """Return the failure of a response with another status than 200. ``body`` may be truncated."""
    error = _error_object(body)
    names = _names(error)
    code = _status_code(status, error)
    return Failure(
        code=code,
        message=_stated(status, _message(error) or _plain(body)),
        http_status=status,
        retry_after=_wait(status, headers, error, now),
        should_retry=should_retry(headers),
        partial_text=_generated(error) if code == INVALID_OUTPUT else None,
        server_code=_label(names),
        about_request=status < 500 and not REQUEST_CODES.isdisjoint(names),
        foreign=status == 400 and body.lstrip().startswith(b"<"),
    )


def from_event(error: object, *, is_first: bool = False) -> Failure:
    """Return the failure of an ``error`` inside a stream or a 200 response.

    ``is_first``: no model output has arrived yet. Then a quota is classified as with a status of 429.
    """
    error = _unwrapped(error)
    names = _names(error)
    status = next((int(name) for name in names if _STATUS.fullmatch(name)), None)
    if _is_about_output(status, error):
        message = _message(error) or "the server found the model's answer invalid"
        return Failure(
            INVALID_OUTPUT,
            _cut(message),
            partial_text=_generated(error),
            server_code=_label(names),
            error_status=status,
        )
    has_no_quota = not QUOTA_CODES.isdisjoint(names) or has_daily_quota(error)
    refused = status is not None and status < 500 and status not in TRANSIENT
    invalid = refused or has_no_quota or not INVALID_CODES.isdisjoint(names)
    is_quota = is_first and has_no_quota and status in (None, 403, 429)
    label = next((name for name in names if not name.isdecimal()), None) or (str(status) if status else "")
    message = _message(error) or "the server reported an error without a message"
    return Failure(
        code=QUOTA if is_quota else "api_error",
        message=_cut(f"{label}: {message}" if label else message),
        retry_after=None if has_daily_quota(error) else wait_in_body(error),
        should_retry=False if invalid and not is_quota else None,
        overloaded=not OVERLOAD_CODES.isdisjoint(names),
        server_code=_label(names),
        error_status=status,
        about_request=(status is None or status < 500) and not REQUEST_CODES.isdisjoint(names),
    )


def _wait(status: int, headers: Mapping[str, str], error: object, now: datetime) -> float | None:
    """Return the seconds that the server asks to wait, from its headers, its body, or its rate limit.

    A daily quota does not recover after the few seconds that Google states with it.
    """
    wait = retry_after(headers, now)
    if wait is None and not has_daily_quota(error):
        wait = wait_in_body(error)
    return used_up_for(headers, now) if wait is None and status == 429 else wait


def _is_about_output(status: int | None, error: object) -> bool:
    """Whether a client error reports that the model's output is invalid."""
    if status not in (None, 400, 422) or not isinstance(error, dict):
        return False
    return not OUTPUT_CODES.isdisjoint(_names(error)) or bool(error.get("failed_generation"))


def _generated(error: object) -> str | None:
    """Return the invalid answer, if the server sends it with the error."""
    words = error.get("failed_generation") if isinstance(error, dict) else None
    if not words:
        return None
    return join([words if isinstance(words, str) else _dumped(words)]) or None


def _label(names: list[str]) -> str:
    """Return the code or type that the server gives its error; a name takes precedence over a number."""
    return _cut(next((name for name in names if not name.isdecimal()), names[0] if names else ""))


def _status_code(status: int, error: object) -> str:
    if status == 204:
        return "empty"
    if 300 <= status < 400:
        return "redirect"
    if status in (403, 429) and (not QUOTA_CODES.isdisjoint(_names(error)) or has_daily_quota(error)):
        return QUOTA
    if status in _NAMED:
        return _NAMED[status]
    if _is_about_output(status, error):
        return INVALID_OUTPUT
    refused = 400 <= status < 500 and status not in TRANSIENT
    return "bad_request" if refused else f"http_{status}"


_NAMED = {401: "auth", 402: "payment_required", 403: "forbidden", 407: "proxy_auth"}


def _error_object(body: bytes) -> object:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    return _unwrapped(value)


def _unwrapped(value: object) -> object:
    """Return the innermost error of an object that contains one under ``error`` or ``detail``."""
    for _ in range(_MAX_WRAPPERS):
        if not isinstance(value, dict):
            break
        inner = value.get("error")
        says_more = _names(value) or any(value.get(name) for name in ("message", "msg"))
        if not inner and not says_more:
            inner = value.get("detail")
        if not inner or (says_more and not isinstance(inner, dict | list)):
            break
        value = inner
    return value


_MAX_WRAPPERS = 4
_MESSAGES = (
    "message",
    "detail",
    "msg",
    "error_message",
    "error_msg",
    "errorMessage",
    "errorMsg",
    "reason",
    "title",
    "errors",
    "error",
)


def _message(error: object) -> str:
    if isinstance(error, dict):
        error = next((error[name] for name in _MESSAGES if error.get(name)), "")
    if not isinstance(error, str):
        error = _dumped(error) if error else ""
    return _cut(error)


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def _names(error: object) -> list[str]:
    """Return the code and type of an error object as strings, the code first."""
    if not isinstance(error, dict):
        return []
    inner = error.get("innererror")
    fields: list[Any] = [error.get(name) for name in ("code", "type", "status", "status_code", "statusCode")]
    fields += [inner.get("code")] if isinstance(inner, dict) else []
    names = [str(field) for field in fields if isinstance(field, str | int) and not isinstance(field, bool)]
    return [name for name in names if name]


def _plain(body: bytes) -> str:
    """Return the body if it is a short plain text; markup is not readable."""
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else _cut(text)


def _stated(status: int, words: str) -> str:
    """Return the status, its name, and the server's words unless they only repeat those."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    stated = f"{status} {phrase}".rstrip()
    said, name = _letters(words), _letters(phrase)
    repeated = (name, f"{status}", f"{status}{name}", f"{name}{status}", f"http{status}{name}")
    return stated if not words or (said and said in repeated) else f"{stated}: {words}"


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _cut(text: str) -> str:
    text = join([text])
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"
