"""What a result file holds, read as a stream; nothing here changes it."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, BinaryIO

from batch.codec import decode_known
from batch.errors import ForeignOutputError
from batch.records import SCHEMA_VERSION
from batch.results.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch.records import Known

_LONGEST_FIRST_LINE = 1 << 28  # bytes; a huge file of somebody else may have no line ends at all
_OUR_START = f'{{"schema_version":{SCHEMA_VERSION},"id":"'.encode()


class Contents:
    """The lines of a result file: which count, which are superseded, and which nobody can read.

    ``length`` is that of all whole lines in bytes; ``torn`` that of what follows the last of them.
    Lines are named by the offsets at which they begin.
    """

    def __init__(self) -> None:
        self.index = Index()
        self.length = 0
        self.torn = 0
        self.superseded = array("Q")
        self.unreadable = array("Q")

    def add(self, request_id: str, known: Known, size: int) -> None:
        """A line of ``size`` bytes follows; it supersedes an earlier one of the same id."""
        superseded = self.index.put(request_id, known, self.length)
        if superseded is not None:
            self.superseded.append(superseded)
        self.length += size

    def add_unreadable(self, size: int) -> None:
        """A line of ``size`` bytes follows that is not a result."""
        self.unreadable.append(self.length)
        self.length += size


def survey(stream: BinaryIO, path: Path) -> Contents:
    """Read a whole file. Raises ``ForeignOutputError`` where its first line is not a result."""
    if not _is_ours(stream.readline(_LONGEST_FIRST_LINE)):
        raise ForeignOutputError(f"{path} was not written by promptjobs: its first line is not a result")
    stream.seek(0)
    contents = Contents()
    for line in stream:
        if not line.endswith(b"\n"):
            contents.torn = len(line)
            break
        try:
            request_id, known = decode_known(line)
        except ValueError:
            contents.add_unreadable(len(line))
        else:
            contents.add(request_id, known, len(line))
    return contents


def lines_except(stream: BinaryIO, offsets: Iterable[int]) -> Iterator[bytes]:
    """The file's lines without those that begin at the given offsets."""
    return (line for line, is_named in _marked(stream, offsets) if not is_named)


def lines_at(stream: BinaryIO, offsets: Iterable[int]) -> Iterator[bytes]:
    """The file's lines that begin at the given offsets."""
    return (line for line, is_named in _marked(stream, offsets) if is_named)


def _marked(stream: BinaryIO, offsets: Iterable[int]) -> Iterator[tuple[bytes, bool]]:
    named = iter(sorted(offsets))
    upcoming = next(named, None)
    offset = 0
    for line in stream:
        is_named = offset == upcoming
        if is_named:
            upcoming = next(named, None)
        offset += len(line)
        yield line, is_named


def _is_ours(first_line: bytes) -> bool:
    """Whether the first line is a result, or was about to become one when the writer died."""
    if not first_line.endswith(b"\n"):
        return first_line[: len(_OUR_START)] == _OUR_START[: len(first_line)]
    try:
        decode_known(first_line)
    except ValueError:
        return False
    return True
