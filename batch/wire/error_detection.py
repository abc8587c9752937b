"""Detection of errors in an event or a body, with or without an answer.

Servers have no common form for errors. An error is a value under ``error``, or an object with an error type.
``error`` may also be one level down, and in a choice, its delta or its message. Without an answer, an error
is also an object with a ``detail`` or a list of ``errors``, or one with a status of 400 or more.
"""

from __future__ import annotations

import re
from typing import Any

_ERROR_WORDS = frozenset({"error", "failed", "failure", "exception"})
_MESSAGE_KEYS = (
    "message",
    "msg",
    "detail",
    "errors",
    "error_message",
    "error_msg",
    "errorMessage",
    "errorMsg",
    "reason",
)
_NUMBER = re.compile(r"[1-9]\d{2,8}", re.ASCII)
_MIN_STATUS = 400


def error_in(value: Any) -> Any:
    """Return the error in a decoded event or body; ``None`` if there is none.

    In an object with ``choices``, only a value under ``error`` or an error type counts.
    """
    if isinstance(value, list):
        items = (error_in(item) for item in value if isinstance(item, dict))
        return next((error for error in items if error is not None), None)
    if not isinstance(value, dict):
        return None
    if value.get("error"):
        return value["error"] if not _is_described_elsewhere(value) else value
    if _has_error_type(value):
        return value
    error = _error_in_choices(value["choices"]) if value.get("choices") else _error_without_choices(value)
    return _error_inside(value) if error is None else error


def possible_error_in(value: Any) -> Any:
    """Return the message of an object without an answer, which may be an error but has no error type."""
    if not isinstance(value, dict):
        return None
    has_message = any(value.get(name) and not isinstance(value[name], dict) for name in _MESSAGE_KEYS)
    return value if has_message or value.get("success") is False else None


def _is_described_elsewhere(value: dict[str, Any]) -> bool:
    """Whether ``error`` is only a word or a flag, and other fields describe the error."""
    error = value["error"]
    return not isinstance(error, dict | list) and any(
        isinstance(value.get(name), str | int) and value[name]
        for name in ("message", "msg", "detail", "code")
    )


def _has_error_type(value: dict[str, Any]) -> bool:
    kinds = (value.get("object"), value.get("type"))
    return any(isinstance(kind, str) and kind.lower() == "error" for kind in kinds)


def _error_without_choices(value: dict[str, Any]) -> Any:
    status = value.get("status")
    if isinstance(status, str) and status.lower() in _ERROR_WORDS:
        return value
    if any(_is_error_number(value.get(name)) for name in ("code", "status", "status_code", "statusCode")):
        return value
    if value.get("detail") or value.get("errors"):
        return value
    return _error_in_status(value.get("base_resp"))


def _error_in_status(status: Any) -> Any:
    """What MiniMax says beside an answer that it does not give; a ``status_code`` of 0 means success."""
    if isinstance(status, dict) and _is_error_number(status.get("status_code")):
        return {"code": status["status_code"], "message": status.get("status_msg")}
    return None


def _error_in_choices(choices: Any) -> Any:
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    holders = [holder for each in found for holder in (each, each.get("delta"), each.get("message"))]
    return next((error for holder in holders if (error := _error_of(holder))), None)


def _error_inside(value: dict[str, Any]) -> Any:
    """Return an error one level down, for example in Groq's ``x_groq``."""
    return next((error for item in value.values() if (error := _error_of(item))), None)


def _error_of(value: Any) -> Any:
    return value.get("error") if isinstance(value, dict) else None


def _is_error_number(value: Any) -> bool:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and value >= _MIN_STATUS
