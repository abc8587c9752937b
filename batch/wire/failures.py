"""Naming a failure: from a status or an error object to a code of the fault matrix.

Errors are told apart by status, ``code`` and ``type``, never by the wording of a message.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from batch.records import Failure
from batch.wire.headers import retry_after, should_retry
from batch.wire.text import join

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_MESSAGE = 500
"""Characters of a server's message that are kept."""

TRANSIENT = frozenset({408, 409, 425, 429})
"""The client errors that pass: every other one is said of the request itself, and stays true."""

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "quota_exceeded",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "credit_balance_too_low",
    }
)
INVALID_CODES = frozenset(
    {
        "invalid_request_error",
        "invalid_request",
        "context_length_exceeded",
        "exceed_context_size_error",
        "model_not_found",
        "not_found_error",
        "content_policy_violation",
        "invalid_prompt",
        "BadRequestError",
        "NotFoundError",
    }
)
OVERLOAD_CODES = frozenset(
    {
        "429",
        "503",
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
"""What a server says that has more to do than it can."""

_STATUS = re.compile(r"[45]\d\d", re.ASCII)


def from_status(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Failure:
    """The failure behind a response that is not a 200. ``body`` may be cut."""
    error = _error_object(body)
    message = _message(error) or _plain(body) or _phrase(status)
    return Failure(
        code=_status_code(status, error),
        message=f"HTTP {status}: {message}",
        http_status=status,
        retry_after=retry_after(headers, now),
        should_retry=should_retry(headers),
    )


def from_event(error: object) -> Failure:
    """The failure behind an ``error`` that came inside a stream, or in a 200 response."""
    names = _names(error)
    status = next((int(name) for name in names if _STATUS.fullmatch(name)), None)
    refused = status is not None and status < 500 and status not in TRANSIENT
    invalid = refused or any(name in INVALID_CODES or name in QUOTA_CODES for name in names)
    label = next((name for name in names if not name.isdecimal()), None) or (str(status) if status else "")
    message = _message(error) or "the server reported an error without a message"
    return Failure(
        code="api_error",
        message=_cut(f"{label}: {message}" if label else message),
        should_retry=False if invalid else None,
        overloaded=not OVERLOAD_CODES.isdisjoint(names),
    )


def _status_code(status: int, error: object) -> str:
    if status == 204:
        return "empty"
    if 300 <= status < 400:
        return "redirect"
    if status in (401, 403):
        return "auth"
    if status == 402 or (status == 429 and any(name in QUOTA_CODES for name in _names(error))):
        return "quota"
    if status == 407:
        return "proxy_auth"
    refused = 400 <= status < 500 and status not in TRANSIENT
    return "bad_request" if refused else f"http_{status}"


def _error_object(body: bytes) -> object:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return value
    return value.get("error") or value.get("detail") or value


def _message(error: object) -> str:
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    if not isinstance(error, str):
        error = _dumped(error) if error else ""
    return _cut(error)


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""


def _names(error: object) -> list[str]:
    """The code and type of an error object, as strings, the code first."""
    if not isinstance(error, dict):
        return []
    fields: list[Any] = [error.get("code"), error.get("type"), error.get("status")]
    return [str(field) for field in fields if isinstance(field, str | int)]


def _plain(body: bytes) -> str:
    """The body where it is a short plain text; markup says nothing to a person."""
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith(("<", "{", "[")) else _cut(text)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "no message"


def _cut(text: str) -> str:
    text = join([text])
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"
