"""Splits a result file into lines, also if another program has changed its line ends.

A result line contains no literal carriage return, and no ``}{"schema_version":``: JSON encodes both
differently in a string. So splitting a file there never splits an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_FIRST_LINE = 1 << 28
"""Maximum bytes of the first line. A large file of another program may have no line ends."""

_BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 16
_CHUNK = 1 << 20
_GLUED = re.compile(rb'(?<=[}\x00])(?=\{"schema_version":)')
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")


def first_line(stream: BinaryIO) -> bytes:
    """Read the first line from the stream's start, with its end, which may be a carriage return.

    The stream's position is undefined after that.
    """
    line = bytearray()
    while piece := stream.readline(_PIECE):
        line += piece
        if b"\r" in piece or piece.endswith(b"\n") or len(line) >= LONGEST_FIRST_LINE:
            break
    head, end, remainder = bytes(line).partition(b"\r")
    return head + end if remainder.strip(b"\r\n") else bytes(line)


def read_lines(stream: BinaryIO, *, carriage_returns: bool) -> Iterator[bytes]:
    """Yield the remaining lines of the stream, each with its end; only the last may have none.

    ``carriage_returns``: these end lines too. Without it, only ``\\n`` ends a line, which is faster.
    """
    if not carriage_returns:
        yield from stream
        return
    remainder = b""
    while chunk := stream.read(_CHUNK):
        *lines, remainder = (remainder + chunk).splitlines(keepends=True)
        yield from lines
    yield from remainder.splitlines(keepends=True)


def pieces(line: bytes) -> list[bytes]:
    """Split a line that may contain several results: at carriage returns and between objects."""
    return [piece for part in line.splitlines(keepends=True) for piece in _GLUED.split(part)]


def without_mark(line: bytes) -> bytes:
    """Return the line without a byte order mark, which Windows programs add before the first line."""
    return line.removeprefix(_BOM)


def tidy(line: bytes) -> bytes:
    """Return the line as this program writes it: no byte order mark or outer white space, and ``\\n``."""
    return without_mark(line).strip() + b"\n"


def is_utf_16(start: bytes) -> bool:
    """Whether a file with this beginning was saved as UTF-16."""
    return start.startswith(_UTF_16)
