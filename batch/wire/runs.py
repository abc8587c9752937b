"""Many events at once: a run of them is decoded in one call, or it is left to be looked at one by one.

What a server sends are, nearly always, events that add a piece of text and say nothing else that matters.
For these there is a decoder that admits nothing else: what it takes needs no second look, and what it does
not take (a finish, usage, reasoning, an error, any oddity) goes the general way.
"""

from __future__ import annotations

from typing import Literal

from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from batch.wire.chunks import Chunk

_UNFIT = (DecodeError, UnicodeDecodeError, RecursionError)


class Values(Struct, frozen=True, gc=False):
    """The JSON values of so many events, one after the other."""

    json: bytes
    count: int


def values(events: bytes) -> Values | None:
    """The values of a run of events; ``None`` where they must be looked at one by one.

    ``events`` is what ``EventDecoder.take`` gives. The run is exact, and a third of the work: it is taken
    only where every event is ``data: {…}`` on one line, and then each boundary lies between two values,
    since nowhere inside a JSON value does ``{`` follow ``}``. So there are no fewer values than events, and
    where there are as many, each event is one value.
    """
    parts = events.split(b"}\n\ndata: {")
    if not parts[0].startswith(b"data: {"):
        return None
    parts[0] = parts[0][6:]
    joined = b"} {".join(parts)  # together quicker than ``replace``, which searches twice
    return None if b"\n" in joined else Values(joined, len(parts))


def decode(run: Values) -> list[Chunk] | None:
    """The chunk of each; ``None`` where one is not a value of the usual shape."""
    try:
        chunks = _decode_all(run.json)
    except _UNFIT:
        return None
    return chunks if len(chunks) == run.count else None


def texts(run: Values, *, model_is_known: bool) -> list[str] | None:
    """The piece of text of each, where all of them bring that and nothing else; ``None`` where one does not.

    Until the model is known, its name is something else, too.
    """
    try:
        plain = (_decode_plain if model_is_known else _decode_nameless)(run.json)
    except _UNFIT:
        return None
    return [chunk.choices[0].delta.content for chunk in plain] if len(plain) == run.count else None


class _PlainDelta(Struct, gc=False):
    content: str
    reasoning_content: None = None
    reasoning: None = None
    refusal: None = None
    tool_calls: None = None


class _PlainChoice(Struct, gc=False):
    delta: _PlainDelta
    finish_reason: None = None
    index: Literal[0] | None = 0


class _Plain(Struct, gc=False):
    choices: tuple[_PlainChoice]
    error: None = None
    usage: None = None
    finish_reason: None = None


class _Nameless(_Plain, gc=False):
    model: None = None


_decode_all = Decoder(Chunk).decode_lines
_decode_plain = Decoder(_Plain).decode_lines
_decode_nameless = Decoder(_Nameless).decode_lines
