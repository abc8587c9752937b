"""Where a server says that something went wrong, in an event or a body that holds no answer.

Servers have no common form for it. An error is a value under ``error`` (also one level down), an object that
calls itself an error, one with a ``detail`` or a list of ``errors``, or one with a status of 400 or more.
"""

from __future__ import annotations

import re
from typing import Any

_ERROR_WORDS = frozenset({"error", "failed", "failure", "exception"})
_REMARKS = ("message", "msg", "detail", "errors", "error_message", "error_msg", "reason")
_NUMBER = re.compile(r"[1-9]\d{2,8}", re.ASCII)
_LEAST_STATUS = 400


def error_in(value: Any) -> Any:
    """What a decoded event or body says of an error; ``None`` where it does not speak of one.

    An object with ``choices`` in it may hold its error only as ``error``, or be called one.
    """
    if isinstance(value, list):
        return next((error for item in value if (error := error_in(item)) is not None), None)
    if not isinstance(value, dict):
        return None
    if value.get("error"):
        return value["error"] if not _says_more(value) else value
    if _is_called_error(value):
        return value
    return None if value.get("choices") else _error_without_choices(value)


def remark_in(value: Any) -> Any:
    """What an object without an answer says, which may be an error, but does not call itself one."""
    if not isinstance(value, dict):
        return None
    said = any(value.get(name) and not isinstance(value[name], dict) for name in _REMARKS)
    return value if said or value.get("success") is False else None


def _says_more(value: dict[str, Any]) -> bool:
    """Whether ``error`` is only a word or a flag, and what happened stands beside it."""
    error = value["error"]
    return not isinstance(error, dict | list) and any(
        isinstance(value.get(name), str | int) and value[name]
        for name in ("message", "msg", "detail", "code")
    )


def _is_called_error(value: dict[str, Any]) -> bool:
    return any(str(value.get(name)).lower() == "error" for name in ("object", "type") if value.get(name))


def _error_without_choices(value: dict[str, Any]) -> Any:
    status = value.get("status")
    if isinstance(status, str) and status.lower() in _ERROR_WORDS:
        return value
    if any(_is_error_number(value.get(name)) for name in ("code", "status", "status_code", "statusCode")):
        return value
    if value.get("detail") or value.get("errors"):
        return value
    inner = (item["error"] for item in value.values() if isinstance(item, dict) and item.get("error"))
    return next(inner, None)


def _is_error_number(value: Any) -> bool:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST_STATUS
