"""What an attempt asks and answers, as bytes: MessagePack, or JSON for values that it cannot express.

MessagePack has no integers above 64 bits and no unpaired surrogates. A job, or an answer, may have both.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec
from msgspec import Struct

from batch.records import Failure, JSONObject, Outcome, Reply, Request


class Call(Struct, frozen=True, gc=False, array_like=True):
    """What an attempt sends, and the number of its endpoint."""

    endpoint: int
    model: str
    messages: tuple[JSONObject, ...]
    params: JSONObject


class _Answer(Struct, frozen=True, gc=False, array_like=True):
    """An outcome; one of the two is there."""

    reply: Reply | None
    failure: Failure | None


T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_calls = msgspec.msgpack.Decoder(Call)
_answers = msgspec.msgpack.Decoder(_Answer)


def encode_call(endpoint: int, request: Request) -> bytes:
    """Return an attempt as bytes. Raises what encoding an impossible value raises."""
    return _encode(Call(endpoint, request.model, request.messages, request.params))


def decode_call(data: bytes) -> tuple[int, Request]:
    """Return the number of the endpoint, and the request with what an endpoint needs of it."""
    call = _decode(data, Call, _calls)
    return call.endpoint, Request("", "", "", call.model, call.messages, call.params)


def encode_outcome(outcome: Outcome) -> bytes:
    """Return an outcome as bytes. Raises what encoding an impossible value raises."""
    is_reply = isinstance(outcome, Reply)
    return _encode(_Answer(outcome, None) if is_reply else _Answer(None, outcome))  # type: ignore[arg-type]


def decode_outcome(data: bytes) -> Outcome:
    """Return an outcome. Raises ``msgspec.DecodeError``."""
    answer = _decode(data, _Answer, _answers)
    outcome = answer.reply or answer.failure
    if outcome is None:
        raise msgspec.ValidationError("neither a reply nor a failure")
    return outcome


def _encode(value: Call | _Answer) -> bytes:
    try:
        return _encoder.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return json.dumps(msgspec.to_builtins(value)).encode("ascii")


def _decode(data: bytes, of: type[T], decoder: msgspec.msgpack.Decoder[T]) -> T:
    if data[:1] != b"[":  # the start of an array in JSON; MessagePack starts these with another byte
        return decoder.decode(data)
    return msgspec.convert(json.loads(data), of)
