"""Bulk decoder: decodes a run of events in one call, or leaves them to be decoded one by one.

Nearly all events of a server add a piece of text and have nothing else that matters. The bulk decoder accepts
only these, so its results need no further checks. All others (a finish reason, usage, reasoning, an error,
anything unusual) take the general path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from batch.wire import chat_chunk
from batch.wire.chat_chunk import Chunk

if TYPE_CHECKING:
    from collections.abc import Callable

_LF = ord("\n")
_START, _BETWEEN, _END = b"data: {", b"}\n\ndata: {", b"}"


def insides(events: bytes) -> list[bytes] | None:
    """Return the text between the braces of each event's JSON; ``None`` if the run cannot be decoded in bulk.

    ``events`` is the result of ``EventDecoder.take``. Bulk decoding requires that the first event begins with
    ``data: {`` and the last ends with ``}``. Only decoding shows whether each event is one object.
    """
    if not events.startswith(_START) or not events.endswith(_END):
        return None
    return events[len(_START) : -len(_END)].split(_BETWEEN)


def outsides(insides: list[bytes]) -> bytes:
    """Return the events with these texts between their braces."""
    return b"".join((_START, _BETWEEN.join(insides), _END))


def decode(insides: list[bytes]) -> list[Chunk] | None:
    """Return the chunk of each event; ``None`` if an event is not an object of the usual shape."""
    values = _values(insides)
    return None if values is None else _decoded(_decode_all, values, len(insides))


def texts(insides: list[bytes], *, model_is_known: bool) -> tuple[list[str], str | None] | None:
    """Return the texts of the events and the name of the model if no event has more than that, else ``None``.

    Events without text are left out. Once the model is known, ``None`` stands for its name. Ignored fields,
    such as later copies of that name, are not checked, not even their encoding.
    """
    values = _values(insides)
    if values is None:
        return None
    for decode_all in _TEXTS if model_is_known else _NAMED_TEXTS:
        chunks = _decoded(decode_all, values, len(insides))
        if chunks is not None:
            break
    else:
        return None
    found = [chunk.choices[0].delta.content for chunk in chunks]
    if not all(found):
        without_text = (inside for inside, text in zip(insides, found, strict=True) if not text)
        if any(map(chat_chunk.may_contain_error, without_text)):
            return None
        found = list(filter(None, found))
    if model_is_known:
        return found, None
    return found, chunks[0].model or next((chunk.model for chunk in chunks if chunk.model), None)


def _values(insides: list[bytes]) -> bytes | None:
    """Return the JSON of all events, one value after another; ``None`` if one call cannot decode it."""
    values = b"".join((b"{", b"}\t{".join(insides), b"}"))
    return None if _LF in values else values


def _decoded(decode_all: Callable[[bytes], list[Any]], values: bytes, count: int) -> list[Any] | None:
    """Decode all events in one call, which takes a third of the time; ``None`` if that fails.

    The result is exact: no event contains a line end, and each boundary lies between two values. Inside a
    JSON value ``{`` never follows ``}``, and its strings contain no tab between them. So there are no fewer
    values than events, and with equal numbers each event is one value.
    """
    try:
        found = decode_all(values)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if len(found) == count else None


class _CommonDelta(Struct, gc=False, forbid_unknown_fields=True):
    content: str | None = None
    role: str | None = None


class _CommonChoice(Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    index: Literal[0] | None = 0
    delta: _CommonDelta
    logprobs: None = None
    finish_reason: None = None


class _Common(Struct, gc=False):
    """The keys that most servers send, and no others: each key of a decoder costs time for every event."""

    choices: tuple[_CommonChoice]
    error: None = None
    usage: None = None
    finish_reason: None = None
    x_groq: None = None


class _NamedCommon(_Common, gc=False):
    model: str | None = None


class _PlainDelta(Struct, gc=False):
    content: str | None = None
    reasoning_content: None = None
    reasoning: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    error: None = None


class _PlainChoice(Struct, gc=False, kw_only=True):
    index: Literal[0] | None = 0
    delta: _PlainDelta
    logprobs: None = None
    finish_reason: None = None
    message: None = None
    text: None = None
    error: None = None
    usage: None = None


class _Plain(Struct, gc=False):
    """Other keys are ignored, so each key that may have a meaning is listed."""

    choices: tuple[_PlainChoice]
    error: None = None
    usage: None = None
    finish_reason: None = None
    x_groq: None = None


class _Named(_Plain, gc=False):
    model: str | None = None


_decode_all = Decoder(Chunk).decode_lines
_TEXTS = (Decoder(_Common).decode_lines, Decoder(_Plain).decode_lines)
_NAMED_TEXTS = (Decoder(_NamedCommon).decode_lines, Decoder(_Named).decode_lines)
"""The second decoder of each pair also accepts events with further keys that do not matter."""
