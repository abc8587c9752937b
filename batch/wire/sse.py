"""Server-sent events, as the WHATWG standard has them: bytes in, the ``data`` of each event out.

Only CR, LF and CRLF end lines. Line ends are brought to LF first, which is exact at any split: a CR
ends its line at once, and an LF that follows it, in this read or the next, belongs to it. After that an
event ends where two LFs meet, so that a whole read is cut with one ``split`` and not line by line, or
not at all: ``runs`` takes most reads as they are.
Of event names, ids and retry times only the name ``error`` matters to a chat completion; the rest is dropped.
llama.cpp sends an error in a field of its own, ``error: {…}``, which the standard does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"
MAX_EVENT = 16 * 2**20
"""Bytes that one event may have by default."""


class EventTooLargeError(ValueError):
    """An event grew beyond its cap."""


class ErrorData(bytes):
    """The data of an event that the server calls an error: JSON, plain text, or nothing."""


class EventDecoder:
    """Cuts a byte stream, fed in pieces of any size, into the data of its events."""

    __slots__ = ("_after_cr", "_at_start", "_max_event", "_rest")

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._rest = bytearray()
        self._after_cr = False
        self._at_start = True
        self._max_event = max_event

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that these bytes complete. Raises ``EventTooLargeError``."""
        return list(self.cut(self.take(data)))

    def take(self, data: bytes) -> bytes:
        """The events that these bytes complete, as they stand but for their line ends, which are LF.

        The empty line that closes the last of them is left out. Raises ``EventTooLargeError``, but not before
        it has given what came before the event that is too large.
        """
        if self._after_cr or b"\r" in data:
            data = self._with_lf_only(data)
        rest = self._rest
        if self._at_start:
            data = self._without_bom(data)
        end = data.rfind(b"\n\n")
        if end >= 0:
            with memoryview(data) as view:  # of all that is done here, copying is the most
                whole = b"".join((rest, view[:end]))
                rest[:] = view[end + 2 :]
            return whole
        if rest.endswith(b"\n") and data.startswith(b"\n"):
            whole = bytes(rest[:-1])
            rest[:] = data[1:]
            return whole
        rest += data
        self._check(len(rest))
        return b""

    def cut(self, whole: bytes) -> Iterator[bytes]:
        """The data of each of the events that ``take`` gave. Raises ``EventTooLargeError``."""
        for block in whole.split(b"\n\n"):
            if block.startswith(b"data: ") and b"\n" not in block:
                data: bytes | None = block[6:]
            else:
                data = _data(block)
            if data is not None:
                self._check(len(data))
                yield data

    def is_inside(self) -> bool:
        """Whether an event has begun, and no empty line has closed it. A comment is no event."""
        return any(line and not line.startswith(b":") for line in self._rest.split(b"\n"))

    def close(self) -> bytes | None:
        """At the end of the body: the data of an event that was never closed by an empty line, if any.

        The standard drops it; servers that omit their last newline make it worth a look. Raises
        ``EventTooLargeError``.
        """
        self._check(len(self._rest))
        data = _data(bytes(self._rest))
        self._rest.clear()
        return data

    def _with_lf_only(self, data: bytes) -> bytes:
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _without_bom(self, data: bytes) -> bytes:
        """Drop one byte order mark, holding back what may still become one."""
        if data and not self._rest and not data.startswith(BOM[:1]):
            self._at_start = False
            return data
        data = bytes(self._rest) + data
        self._rest.clear()
        if len(data) < len(BOM) and BOM.startswith(data):
            self._rest += data
            return b""
        self._at_start = False
        return data.removeprefix(BOM)

    def _check(self, size: int) -> None:
        if size > self._max_event:
            raise EventTooLargeError(f"an event of more than {self._max_event} bytes")


def _data(block: bytes) -> bytes | None:
    """The ``data`` lines of one event, joined with LF; ``None`` where there are none, and it is no error."""
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
