"""Decoder of server-sent events by the WHATWG standard: bytes in, the ``data`` of each event out.

Only CR, LF and CRLF end lines. Line ends are first converted to LF, which is exact at any split: a CR ends
its line at once, and an LF after it, in this read or the next, belongs to it. An event then ends at two
consecutive LFs. So a whole read is split with one ``split`` and not line by line, or not at all:
``bulk_decoder`` takes most reads as they are.

Of event names, ids and retry times, only the name ``error`` matters to a chat completion; the others are
ignored. llama.cpp sends an error in a field of its own, ``error: {…}``, which the standard does not define.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"
_CR = ord("\r")  # CPython finds a number in bytes several times faster than bytes of length 1
MAX_EVENT = 16 * 2**20
"""Default maximum size of one event, in bytes."""


class EventTooLargeError(ValueError):
    """An event is larger than the limit."""


class ErrorData(bytes):
    """The data of an error event: JSON, plain text, or nothing."""


class EventDecoder:
    """Splits a byte stream, fed in pieces of any size, into the data of its events."""

    __slots__ = ("_after_cr", "_at_start", "_buffer", "_max_event")

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._buffer = bytearray()
        self._after_cr = False
        self._at_start = True
        self._max_event = max_event

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that these bytes complete. Raises ``EventTooLargeError``."""
        return list(self.cut(self.take(data)))

    def take(self, data: bytes) -> bytes:
        """Return the events that these bytes complete, unchanged except for line ends, which are LF.

        The empty line after the last event is omitted. Raises ``EventTooLargeError``, but only after
        returning the events before the one that is too large.
        """
        if self._after_cr or _CR in data:
            data = self._with_lf_only(data)
        remainder = self._buffer
        if self._at_start:
            data = self._without_bom(data)
        end = data.rfind(b"\n\n")
        if end >= 0:
            if not remainder and end + 2 == len(data):  # most reads: whole events and nothing else
                return data[:end]
            with memoryview(data) as view:  # copying is the most expensive step here
                whole = b"".join((remainder, view[:end]))
                remainder[:] = view[end + 2 :]
            return whole
        if remainder.endswith(b"\n") and data.startswith(b"\n"):
            whole = bytes(remainder[:-1])
            remainder[:] = data[1:]
            return whole
        remainder += data
        self._check(len(remainder))
        return b""

    def cut(self, whole: bytes) -> Iterator[bytes]:
        """Yield the data of each of the events that ``take`` returned. Raises ``EventTooLargeError``."""
        for block in whole.split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                data: bytes | None = block[6:]
            else:
                data = _data(block)
            if data is not None:
                self._check(len(data))
                yield data

    def is_inside(self) -> bool:
        """Whether an event has begun that no empty line has ended. A comment is not an event."""
        return any(line and not line.startswith(b":") for line in self._buffer.split(b"\n"))

    def close(self) -> bytes | None:
        """Return the data of an unterminated event at the end of the body, if there is one.

        The standard discards it, but some servers omit their last line end. Raises ``EventTooLargeError``.
        """
        self._check(len(self._buffer))
        data = _data(bytes(self._buffer))
        self._buffer.clear()
        return data

    def _with_lf_only(self, data: bytes) -> bytes:
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        if _CR in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _without_bom(self, data: bytes) -> bytes:
        """Remove one byte order mark, buffering bytes that may become one."""
        if data and not self._buffer and data[0] != BOM[0]:
            self._at_start = False
            return data
        data = bytes(self._buffer) + data
        self._buffer.clear()
        if len(data) < len(BOM) and BOM.startswith(data):
            self._buffer += data
            return b""
        self._at_start = False
        return data.removeprefix(BOM)

    def _check(self, size: int) -> None:
        if size > self._max_event:
            raise EventTooLargeError(f"an event of more than {self._max_event} bytes")


def _data(block: bytes) -> bytes | None:
    """Return the ``data`` lines of an event, joined with LF; ``None`` without such lines or an error."""
    lines = []
    is_error = False
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            is_error = is_error or value.strip().lower() == b"error"
        elif field == b"error":
            return ErrorData(value.removeprefix(b" "))
    data = b"\n".join(lines)
    if is_error:
        return ErrorData(data)
    return data if lines else None
