"""The frames of the exchange between the driver and one worker, and their bytes.

A frame is a version byte and MessagePack. What an attempt asks and answers is opaque here (``payloads``).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

VERSION = 1
"""Version of the frames; both sides must have the same."""


class Execute(Struct, frozen=True, gc=False, array_like=True, tag="execute"):
    """The order to execute an attempt."""

    attempt: int
    payload: bytes


class Cancel(Struct, frozen=True, gc=False, array_like=True, tag="cancel"):
    """The order to abandon an attempt; it gets no outcome."""

    attempt: int


Order: TypeAlias = Execute | Cancel


class Done(Struct, frozen=True, gc=False, array_like=True):
    """The outcome of an attempt. An empty payload: the worker abandoned it when its lease had ended."""

    attempt: int
    payload: bytes


class Down(Struct, frozen=True, gc=False, array_like=True):
    """A frame from the driver.

    ``answers`` is the number of the last frame that arrived from the worker. ``confirmed`` counts the
    outcomes that the worker need not keep. The first of ``orders`` has the number ``first``, counted from 0.
    """

    epoch: int
    answers: int
    confirmed: int
    first: int
    orders: list[Order]


class Up(Struct, frozen=True, gc=False, array_like=True):
    """A frame from the worker.

    ``confirmed`` counts the orders that have arrived. The first of ``outcomes`` has the number ``first``,
    counted from 0. ``asks``: the worker needs an answer at once.
    """

    epoch: int
    number: int
    confirmed: int
    first: int
    outcomes: list[Done]
    asks: bool = False


class VersionError(Exception):
    """The other side has another version of the frames."""


_encoder = msgspec.msgpack.Encoder()
_downs = msgspec.msgpack.Decoder(Down)
_ups = msgspec.msgpack.Decoder(Up)


def encode(frame: Down | Up) -> bytes:
    """Return the bytes of a frame."""
    return bytes((VERSION,)) + _encoder.encode(frame)


def decode_down(data: bytes) -> Down:
    """Return a frame from the driver. Raises ``VersionError`` and ``msgspec.DecodeError``."""
    return _downs.decode(_body(data))


def decode_up(data: bytes) -> Up:
    """Return a frame from a worker. Raises ``VersionError`` and ``msgspec.DecodeError``."""
    return _ups.decode(_body(data))


def _body(data: bytes) -> memoryview:
    if data[:1] != bytes((VERSION,)):
        raise VersionError(f"the frame has version {data[0] if data else None}, not {VERSION}")
    return memoryview(data)[1:]
