"""Messages on a stream of bytes: the length in eight bytes, then the message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = 8


def framed(message: bytes) -> bytes:
    """Return a message as it is sent."""
    return len(message).to_bytes(_HEAD, "big") + message


class Unframer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that the data completes."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _HEAD:
            end = start + _HEAD + int.from_bytes(buffer[start : start + _HEAD], "big")
            if len(buffer) < end:
                break
            message = bytes(buffer[start + _HEAD : end])
            start = end
            yield message
        if start:
            del buffer[:start]
