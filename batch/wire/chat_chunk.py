"""The JSON of one event as typed values, in the shape that both dialects share.

The typed decoder names only the fields that are used. Unexpected values, such as a number in place of a
string, a lone surrogate escape or ``NaN``, are decoded a second time. That pass is generic and slow, and
reads what it can. An unusual value without meaning must not fail a reply, and no output may be lost because
of one.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from batch.wire import fields
from batch.wire.content_parts import NotTextError, text_and_reasoning
from batch.wire.error_detection import error_in, possible_error_in


class Delta(Struct, gc=False):
    """What an event adds to the message, or the whole message of an unstreamed reply.

    Values of ``function_call`` and ``error`` are rare and decoded generically: into ``tool_calls`` and
    ``Chunk.error``.
    """

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Any] | None = None
    function_call: None = None
    error: None = None


class OlderCall(dict[str, Any]):
    """A part of the single call of a ``function_call``, in the form of a part of a tool call."""

    def __init__(self, function: object) -> None:
        super().__init__(type="function", function=function)


class Odd(Struct, gc=False):
    """The rare fields of a choice.

    ``text`` is the text of a legacy completion.
    """

    text: str | None = None
    logprobs: Any = None


class Choice(Struct, gc=False, kw_only=True, rename={"odd": "choice.odd"}):
    """One of the answers; only the one with index 0 is ever requested.

    ``index`` is ``None`` if the server sends none. Values of ``text``, ``error``, ``logprobs`` and ``usage``
    are rare and decoded generically into ``odd``, ``Chunk.error`` and ``Chunk.usage``.
    """

    index: int | None = None  # in the order of most servers, which is the order of the lookup
    delta: Delta | None = None
    logprobs: None = None
    finish_reason: str | None = None
    message: Delta | None = None
    text: None = None
    error: None = None
    usage: None = None
    odd: Odd | None = None


class PossibleError(Struct, gc=False):
    """What a server reports in an event without an answer: an error, if no finish reason arrives."""

    error: Any


class Chunk(Struct, gc=False):
    """One event, or one whole reply. ``error`` is the reported error, or a ``PossibleError``.

    ``usage`` is as the server sends it, in any form (``wire.usage`` reads it); it may contain an error. So
    may ``x_groq``, which is decoded generically, and which may contain the usage.
    """

    choices: list[Choice] | None = None
    error: Any = None
    usage: dict[str, Any] | None = None
    finish_reason: str | None = None
    model: str | None = None
    x_groq: None = None


class NotJSONError(ValueError):
    """The bytes are not JSON."""


class NotUTF8Error(ValueError):
    """The bytes are not UTF-8."""


class WrongTypeError(ValueError):
    """A value of model output has a type that cannot be read; ignoring it would lose output."""


OTHER_CHOICE = 1
"""The index of a choice with an unreadable index: it is not the requested choice."""

_decode = Decoder(Chunk).decode
_decode_generic = Decoder().decode


def decode(data: bytes) -> Chunk:
    """Return the chunk in these bytes; an empty one for JSON without meaning.

    Raises ``NotUTF8Error``, ``NotJSONError`` and ``WrongTypeError``.
    """
    try:
        chunk = _decode(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return _leniently(_value(data))
    return chunk if chunk.choices else examined(chunk, data)


def examined(chunk: Chunk, data: bytes) -> Chunk:
    """Return the chunk of an event without output, with the error or possible error in its bytes."""
    value = _value(data)
    chunk.error = error_in(value) if chunk.choices else _error_or_possible_error(value)
    return chunk


def may_contain_error(data: bytes) -> bool:
    """Whether these bytes may contain an error in addition to the choices."""
    return b'"error"' in data


def _error_or_possible_error(value: object) -> Any:
    error = error_in(value)
    if error is not None:
        return error
    possible_error = possible_error_in(value)
    return None if possible_error is None else PossibleError(possible_error)


def _value(data: bytes) -> Any:
    try:
        return _decode_generic(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return generic(data)


def generic(data: bytes) -> Any:
    """Return the value in these bytes. Raises ``NotUTF8Error`` and ``NotJSONError``."""
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
    error = error_in(value)
    if not isinstance(value, dict):
        if error is None and value and isinstance(value, list | str):
            raise WrongTypeError(f"an event is {fields.kind(value)}, not an object")
        return Chunk(error=error)
    choices = value.get("choices")
    if choices and not isinstance(choices, list) and error is None:
        raise WrongTypeError(f"`choices` is {fields.kind(choices)}")
    found = [] if error is not None and not isinstance(choices, list) else [*map(_choice, choices or ())]
    return Chunk(
        choices=found,
        error=error if found else _error_or_possible_error(value),
        usage=_usage(value),
        finish_reason=fields.reason(value.get("finish_reason")),
        model=fields.text(value.get("model")),
    )


def _choice(value: Any) -> Choice:
    if not isinstance(value, dict):
        if value:
            raise WrongTypeError(f"a choice is {fields.kind(value)}")
        return Choice(index=OTHER_CHOICE)
    index = _index(value)
    if index:
        return Choice(index=index)
    delta, message = value.get("delta"), value.get("message")
    return Choice(
        delta=_delta(delta, "delta"),
        message=_delta(message, "message"),
        finish_reason=fields.reason(value.get("finish_reason")),
        index=index,
        odd=_odd(value),
    )


def _odd(value: dict[str, Any]) -> Odd | None:
    text, logprobs = _words(value, "text"), value.get("logprobs")
    return Odd(text, logprobs) if text or logprobs else None


def _index(choice: dict[str, Any]) -> int | None:
    """Return 0 for each form of it, ``None`` for a missing index; another number is another choice.

    A value that is not a number may be the requested choice: then nothing may be lost.
    """
    value = choice.get("index")
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return OTHER_CHOICE if value.strip("0") else 0
    if isinstance(value, int | float) and not isinstance(value, bool):
        return OTHER_CHOICE if value else 0
    if any(choice.get(name) for name in ("delta", "message", "text", "finish_reason")):
        raise WrongTypeError("the index of a choice is not a number")
    return OTHER_CHOICE


def _delta(value: Any, name: str) -> Delta | None:
    if not isinstance(value, dict):
        if value:
            raise WrongTypeError(f"`{name}` is {fields.kind(value)}")
        return None
    calls = value.get("tool_calls")
    if calls and not isinstance(calls, list):
        raise WrongTypeError(f"`tool_calls` is {fields.kind(calls)}")
    content, thinking, refusal = _parts(value, "content")
    reasoning = _joined(value, "reasoning_content"), _joined(value, "reasoning")
    older = [OlderCall(value["function_call"])] if value.get("function_call") else []
    return Delta(
        content=content,
        reasoning_content=reasoning[0] or thinking,
        reasoning=reasoning[1],
        refusal=_words(value, "refusal") or refusal,
        tool_calls=[*(calls or ()), *older] or None,
    )


def _parts(value: dict[str, Any], name: str) -> tuple[str | None, str | None, str | None]:
    """Return text, reasoning and refusal; some servers send a list of parts, each with its own type."""
    content = value.get(name)
    if not isinstance(content, list):
        return _words(value, name), None, None
    try:
        return text_and_reasoning(content)
    except NotTextError as error:
        raise WrongTypeError(f"`{name}`: {error}") from None


def _joined(value: dict[str, Any], name: str) -> str | None:
    text, thinking, _ = _parts(value, name)
    return (text or "") + (thinking or "") or None


def _words(value: dict[str, Any], name: str) -> str | None:
    """Return a text of the model output."""
    words = value.get(name)
    if words is not None and not isinstance(words, str):
        raise WrongTypeError(f"`{name}` is {fields.kind(words)}")
    return words


def _usage(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the usage of an event from one of its possible places: the event, ``x_groq``, or a choice."""
    choices = value.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    places = (fields.inner(first, "usage"), fields.inner(value.get("x_groq"), "usage"), value.get("usage"))
    reports = [place for place in places if isinstance(place, dict)]
    if len(reports) < 2:
        return reports[0] if reports else None
    return {name: each for place in reports for name, each in place.items() if each is not None}
