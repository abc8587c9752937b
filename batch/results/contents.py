"""The contents of a result file, read as a stream; nothing here changes the file."""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from batch.codec import decode_result, known, newer_version
from batch.errors import ForeignOutputError
from batch.records import SCHEMA_VERSION
from batch.results.filesystem import Disk
from batch.results.index import Index
from batch.results.line_reader import (
    LONGEST_FIRST_LINE,
    first_line,
    is_utf_16,
    pieces,
    read_lines,
    tidy,
    without_mark,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch.records import Known, Result
    from batch.results.reclassification import Restate

DAMAGED_START = "damaged: this is an output file, but its first line is not a result"
REPAIR_OF_START = "remove the line, and the next run sends its request again"

_LINES = 10
"""Lines after the first one that show whether a file is an output."""

_OUR_START = f'{{"schema_version":{SCHEMA_VERSION},"id":"'.encode()


class Contents:
    """The lines of a result file: their content, their offsets, and which of them count.

    ``length`` is the length of all complete lines in bytes, ``partial`` that of the partial line after them.
    Lines are numbered from 0. ``unended``: the last line is complete except for its line end. ``untidy``:
    another program has changed line ends, joined lines or added a byte order mark.
    """

    def __init__(self) -> None:
        self.index = Index()
        self.length = 0
        self.partial = 0
        self.unended = False
        self.untidy = False
        self._starts = array("Q")

    def __len__(self) -> int:
        """Return the number of complete lines, whatever their content."""
        return len(self._starts)

    @property
    def starts(self) -> array[int]:
        """The offsets of the lines in bytes; read-only."""
        return self._starts

    @property
    def damaged(self) -> int:
        """Number of lines that cannot be read, with a partial last one."""
        return self.index.unreadable + (self.partial > 0)

    def add(self, request_id: str, known: Known, size: int) -> None:
        """Add a line of ``size`` bytes; it supersedes an earlier one with the same id."""
        self.index.put(request_id, known)
        self._starts.append(self.length)
        self.length += size

    def add_unreadable(self, size: int) -> None:
        """Add a line of ``size`` bytes that is not a result."""
        self.index.put_unreadable()
        self._starts.append(self.length)
        self.length += size

    def add_blank(self, size: int) -> None:
        """Add white space of ``size`` bytes to the end of the previous line."""
        self.length += size
        self.untidy = True

    def end_last_line(self) -> None:
        """Record that the last line, which was ``unended``, now has its line end."""
        self.length += 1
        self.unended = False

    def size_of(self, numbers: Iterable[int]) -> int:
        """Return the total size of these lines in bytes."""
        return sum(end - start for start, end in map(self._range, numbers))

    def lines(self, stream: BinaryIO, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yield the file's lines with these numbers, in the given order, each with ``\\n``.

        Raises ``OSError`` if the file has changed.
        """
        starts, last = self._starts, len(self) - 1
        for number in numbers:
            start = starts[number]
            size = (starts[number + 1] if number < last else self.length) - start
            stream.seek(start)
            line = stream.read(size)
            if len(line) < size:
                raise OSError("another program has changed the file")
            if self.untidy or (self.unended and number == last):
                line = tidy(line)
            if not line.endswith(b"\n"):
                raise OSError("another program has changed the file")
            yield line

    def _range(self, number: int) -> tuple[int, int]:
        after = number + 1
        return self._starts[number], self._starts[after] if after < len(self._starts) else self.length


def survey(
    stream: BinaryIO,
    path: Path,
    each: Callable[[Result], None] | None = None,
    restate: Restate | None = None,
) -> Contents:
    """Read a whole file, and call ``each`` with each line that is a result.

    Lines are decoded completely: skipping unused fields saves no time (measured) once their UTF-8 is checked.
    So every line that counts can also be read. ``restate`` translates results of an older version. Raises
    ``ForeignOutputError`` if the first line is not a result, or if a newer version of this program has
    written any line.
    """
    first = check_ours(stream, path)
    carriage_returns = first.endswith(b"\r")
    contents = Contents()
    contents.untidy = carriage_returns
    line = b""
    for line in read_lines(stream, carriage_returns=carriage_returns):
        try:
            result = decode_result(line)
        except ValueError:
            _take_apart(contents, path, line, each, restate)
            continue
        contents.add(result.id, _known(result, restate), len(line))
        if each is not None:
            each(result)
    contents.unended = not contents.partial and not line.endswith(b"\n") and len(contents) > 0
    return contents


def _known(result: Result, restate: Restate | None) -> Known:
    stated = result if restate is None else restate(result)
    return known(stated, restated=stated is not result)


def _take_apart(
    contents: Contents,
    path: Path,
    line: bytes,
    each: Callable[[Result], None] | None,
    restate: Restate | None,
) -> None:
    """Add a line that is not a result: it may contain several results, or be the partial end of the file."""
    found = pieces(line)
    for number, piece in enumerate(found, 1):
        try:
            result = decode_result(without_mark(piece))
        except ValueError:
            refuse_newer(piece, path, len(contents) + 1)
            if piece.isspace():
                contents.add_blank(len(piece))
            elif number == len(found) and not piece.endswith((b"\n", b"\r")):
                contents.partial = len(piece)
            else:
                contents.add_unreadable(len(piece))
            continue
        contents.untidy = True
        contents.add(result.id, _known(result, restate), len(piece))
        if each is not None:
            each(result)


def refuse_newer(line: bytes, path: Path, number: int) -> None:
    """Raise ``ForeignOutputError`` if a newer version of this program has written the line."""
    version = newer_version(without_mark(line))
    if version is not None:
        raise ForeignOutputError(
            f"{path}: line {number} was written by a newer promptjobs (schema version {version}); "
            "update promptjobs, or name another output"
        )


def check_ours(stream: BinaryIO, path: Path) -> bytes:
    """Return the first line of a stream at its beginning, without moving the position.

    Raises ``ForeignOutputError`` unless it is a result.
    """
    first = first_line(stream)
    stream.seek(0)
    if is_utf_16(first):
        raise ForeignOutputError(
            f"{path} was saved as UTF-16 by another program; save it as UTF-8, for example with "
            "`iconv -f UTF-16 -t UTF-8`"
        )
    if not _is_ours(first):
        refuse_newer(first, path, 1)
        if have_results(stream, after=first):
            raise ForeignOutputError(f"{path}:1:1: {DAMAGED_START}; {REPAIR_OF_START}")
        raise ForeignOutputError(f"{path} was not written by promptjobs: its first line is not a result")
    return first


def refuse_foreign(path: Path) -> None:
    """Raise ``ForeignOutputError`` for another program's file; opening it reports why it cannot be read."""
    with suppress(OSError), Disk().open_read(path) as stream:
        check_ours(stream, path)


def is_output(path: Path) -> bool:
    """Whether a run could resume from the file, by its first line; also if that is missing or partial.

    Raises ``OSError``.
    """
    with path.open("rb") as stream:
        return _is_ours(first_line(stream))


def holds_results(path: Path) -> bool:
    """Whether the first line of the file at ``path`` is a complete result. Raises ``OSError``."""
    with path.open("rb") as stream:
        return _is_result(first_line(stream))


def _is_ours(first_line: bytes) -> bool:
    """Whether the first line is a result, or the beginning of one."""
    if _is_result(first_line):
        return True
    start = without_mark(first_line)
    return not start.endswith((b"\n", b"\r")) and start[: len(_OUR_START)] == _OUR_START[: len(start)]


def results_in(line: bytes) -> list[Result]:
    """Return the results in one line of a file: one, or several if their line ends are missing."""
    found = []
    for piece in pieces(line):
        with suppress(ValueError):
            found.append(decode_result(without_mark(piece)))
    return found


def have_results(stream: BinaryIO, *, after: bytes) -> bool:
    """Whether there is a result in the lines that follow this first line; the position is then undefined."""
    stream.seek(len(after))
    return any(results_in(stream.readline(LONGEST_FIRST_LINE)) for _ in range(_LINES))


def _is_result(line: bytes) -> bool:
    """Whether a line begins with a complete result."""
    return any(results_in(piece) for piece in pieces(line)[:1])
