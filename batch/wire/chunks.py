"""One event's JSON, as typed values: the shape that both dialects share.

The typed decoder names only the fields that are used. What does not fit it (a number where a string is
due, a lone surrogate escape, ``NaN``) is decoded a second time, generically and slowly, and read as far
as it makes sense: a server's oddity must not cost a reply.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from batch.records import Usage


class Delta(Struct, gc=False):
    """What an event adds to the message; the same names hold a whole message where it is not streamed."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None


class Choice(Struct, gc=False):
    """One of the answers; only the one with index 0 is ever asked for."""

    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    index: int | None = 0


class Chunk(Struct, gc=False):
    """One event, or one whole reply."""

    choices: list[Choice] | None = None
    error: Any = None
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str | None = None


class NotJSONError(ValueError):
    """The bytes are not JSON."""


class NotUTF8Error(ValueError):
    """The bytes are not UTF-8."""


_decode = Decoder(Chunk).decode


def decode(data: bytes) -> Chunk:
    """The chunk in these bytes; an empty one where they hold JSON of another shape.

    Raises ``NotUTF8Error`` and ``NotJSONError``.
    """
    try:
        return _decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return _leniently(_generic(data))


def _generic(data: bytes) -> object:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NotUTF8Error(str(error)) from None
    try:
        return json.loads(text)
    except RecursionError:
        raise NotJSONError("nested too deeply") from None
    except ValueError as error:
        raise NotJSONError(str(error)) from None


def _leniently(value: object) -> Chunk:
    if not isinstance(value, dict):
        return Chunk()
    choices = value.get("choices")
    return Chunk(
        choices=[_choice(choice) for choice in choices if isinstance(choice, dict)]
        if isinstance(choices, list)
        else None,
        error=value.get("error"),
        usage=_usage(value.get("usage")),
        finish_reason=_text(value.get("finish_reason")),
        model=_text(value.get("model")),
    )


def _choice(value: dict[str, Any]) -> Choice:
    index = value.get("index", 0)
    return Choice(
        delta=_delta(value.get("delta")),
        message=_delta(value.get("message")),
        finish_reason=_text(value.get("finish_reason")),
        index=index if isinstance(index, int) else 0,
    )


def _delta(value: object) -> Delta | None:
    if not isinstance(value, dict):
        return None
    calls = value.get("tool_calls")
    content, thinking = _content(value.get("content"))
    return Delta(
        content=content,
        reasoning_content=_text(value.get("reasoning_content")) or thinking,
        reasoning=_text(value.get("reasoning")),
        refusal=_text(value.get("refusal")),
        tool_calls=calls if isinstance(calls, list) else None,
    )


def _content(value: object) -> tuple[str | None, str | None]:
    """Text and reasoning; some servers send a list of parts, each of a type of its own."""
    if not isinstance(value, list):
        return _text(value), None
    thinking = [_joined_text(part.get("thinking")) for part in value if isinstance(part, dict)]
    return _joined_text(value) or None, "".join(thinking) or None


def _joined_text(value: object) -> str:
    """A text, or a list of parts with a text each."""
    if not isinstance(value, list):
        return _text(value) or ""
    return "".join(_text(part.get("text")) or "" for part in value if isinstance(part, dict))


def plausible(usage: Usage) -> Usage:
    """The counts, without those that nobody can have counted."""
    return Usage(*(_count(getattr(usage, field)) for field in Usage.__struct_fields__))


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    return Usage(**{field: _count(value.get(field)) for field in Usage.__struct_fields__})


def _count(value: object) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
        return int(value)
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
