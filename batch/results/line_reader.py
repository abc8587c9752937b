"""Cut a result file into lines, also where another program has changed its line ends.

A result line holds no carriage return as it is, and no ``}{"schema_version":``: JSON writes both differently
inside a text. So a file can be cut there without ever cutting an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_FIRST_LINE = 1 << 28
"""Bytes. A large file of another program may have no line ends at all."""

_BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 16
_CHUNK = 1 << 20
_GLUED = re.compile(rb'(?<=[}\x00])(?=\{"schema_version":)')
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")


def first_line(stream: BinaryIO) -> bytes:
    """Read the first line from the stream's start, with its end, which may be a carriage return.

    Leave the stream anywhere.
    """
    line = bytearray()
    while piece := stream.readline(_PIECE):
        line += piece
        if b"\r" in piece or piece.endswith(b"\n") or len(line) >= LONGEST_FIRST_LINE:
            break
    head, end, rest = bytes(line).partition(b"\r")
    return head + end if rest.strip(b"\r\n") else bytes(line)


def read_lines(stream: BinaryIO, *, carriage_returns: bool) -> Iterator[bytes]:
    """Yield the rest of the stream line by line, each with its end; only the last one may have none.

    ``carriage_returns``: lines end in these, too. Without, only ``\\n`` ends a line, which is faster.
    """
    if not carriage_returns:
        yield from stream
        return
    rest = b""
    while chunk := stream.read(_CHUNK):
        *lines, rest = (rest + chunk).splitlines(keepends=True)
        yield from lines
    yield from rest.splitlines(keepends=True)


def pieces(line: bytes) -> list[bytes]:
    """Cut a line that is no result where it may hold several: at carriage returns and between objects."""
    return [piece for part in line.splitlines(keepends=True) for piece in _GLUED.split(part)]


def without_mark(line: bytes) -> bytes:
    """The line without a byte order mark, which Windows programs put before the first one."""
    return line.removeprefix(_BOM)


def tidy(line: bytes) -> bytes:
    """The line as this program writes it: no byte order mark, no space around it, and ``\\n`` at its end."""
    return without_mark(line).strip() + b"\n"


def is_utf_16(start: bytes) -> bool:
    """Whether a file that begins so was saved as UTF-16."""
    return start.startswith(_UTF_16)
