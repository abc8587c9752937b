"""What a result file holds, read as a stream; nothing here changes it."""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from batch.codec import decode_result, known, newer_version
from batch.errors import ForeignOutputError
from batch.records import SCHEMA_VERSION
from batch.results.filesystem import Disk
from batch.results.index import Index
from batch.results.line_reader import first_line, is_utf_16, pieces, read_lines, tidy, without_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch.records import Known, Result
    from batch.results.reclassification import Restate

_OUR_START = f'{{"schema_version":{SCHEMA_VERSION},"id":"'.encode()


class Contents:
    """The lines of a result file: what each says, where it begins, and which of them count.

    ``length`` is that of all whole lines in bytes; ``torn`` that of what follows the last of them. Lines are
    numbered from 0. ``unended``: the last line is whole, but for its line end. ``untidy``: another program
    has changed line ends, glued lines together or put a byte order mark before one.
    """

    def __init__(self) -> None:
        self.index = Index()
        self.length = 0
        self.torn = 0
        self.unended = False
        self.untidy = False
        self._starts = array("Q")

    def __len__(self) -> int:
        """The whole lines of the file, whatever they hold."""
        return len(self._starts)

    def add(self, request_id: str, known: Known, size: int) -> None:
        """A line of ``size`` bytes follows; it supersedes an earlier one of the same id."""
        self.index.put(request_id, known)
        self._starts.append(self.length)
        self.length += size

    def add_unreadable(self, size: int) -> None:
        """A line of ``size`` bytes follows that is not a result."""
        self.index.put_unreadable()
        self._starts.append(self.length)
        self.length += size

    def add_blank(self, size: int) -> None:
        """White space of ``size`` bytes follows, which counts as the end of the line before."""
        self.length += size
        self.untidy = True

    def end_last_line(self) -> None:
        """The last line, which was ``unended``, has got its line end."""
        self.length += 1
        self.unended = False

    def size_of(self, numbers: Iterable[int]) -> int:
        """The bytes of the lines with these numbers."""
        return sum(end - start for start, end in map(self._range, numbers))

    def lines(self, stream: BinaryIO, numbers: Iterable[int]) -> Iterator[bytes]:
        """The file's lines with these numbers, in the order in which they are asked for, with ``\\n``.

        Raises ``OSError`` where the file is no longer as it was.
        """
        for number in numbers:
            line = self._line(stream, number)
            if self.untidy or (self.unended and number == len(self) - 1):
                line = tidy(line)
            if not line.endswith(b"\n"):
                raise OSError("the file has been changed by somebody else")
            yield line

    def _line(self, stream: BinaryIO, number: int) -> bytes:
        start, end = self._range(number)
        stream.seek(start)
        line = stream.read(end - start)
        if len(line) < end - start:
            raise OSError("the file has been changed by somebody else")
        return line

    def _range(self, number: int) -> tuple[int, int]:
        after = number + 1
        return self._starts[number], self._starts[after] if after < len(self._starts) else self.length


def survey(
    stream: BinaryIO,
    path: Path,
    each: Callable[[Result], None] | None = None,
    restate: Restate | None = None,
) -> Contents:
    """Read a whole file, and show each line that is a result to ``each``.

    Lines are decoded whole: skipping the fields that are not asked for was measured, and it saves nothing
    once their UTF-8 is checked. So what counts as done can also be read. ``restate`` says how a line has to
    be read. Raises ``ForeignOutputError`` where the first line is not a result, or where a newer version of
    this program has written any line.
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
    contents.unended = not contents.torn and not line.endswith(b"\n") and len(contents) > 0
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
    """Take in what is no result as it stands: it may hold some, and it may be the torn end of the file."""
    found = pieces(line)
    for number, piece in enumerate(found, 1):
        try:
            result = decode_result(without_mark(piece))
        except ValueError:
            refuse_newer(piece, path, len(contents) + 1)
            if piece.isspace():
                contents.add_blank(len(piece))
            elif number == len(found) and not piece.endswith((b"\n", b"\r")):
                contents.torn = len(piece)
            else:
                contents.add_unreadable(len(piece))
            continue
        contents.untidy = True
        contents.add(result.id, _known(result, restate), len(piece))
        if each is not None:
            each(result)


def refuse_newer(line: bytes, path: Path, number: int) -> None:
    """Raise ``ForeignOutputError`` where a newer version of this program wrote the line with this number."""
    version = newer_version(without_mark(line))
    if version is not None:
        raise ForeignOutputError(
            f"{path}: line {number} was written by a newer promptjobs (schema version {version}); "
            "update promptjobs, or name another output"
        )


def check_ours(stream: BinaryIO, path: Path) -> bytes:
    """Return the first line of a stream that is at its beginning, and leave it there.

    Raises ``ForeignOutputError`` unless it holds results.
    """
    first = first_line(stream)
    stream.seek(0)
    if is_utf_16(first):
        raise ForeignOutputError(
            f"{path} was saved as UTF-16 by another program; save it as UTF-8, such as with "
            "`iconv -f UTF-16 -t UTF-8`"
        )
    if not _is_ours(first):
        refuse_newer(first, path, 1)
        raise ForeignOutputError(f"{path} was not written by promptjobs: its first line is not a result")
    return first


def refuse_foreign(path: Path) -> None:
    """Raise ``ForeignOutputError`` for a file of somebody else; who opens it says why it cannot be read."""
    with suppress(OSError), Disk().open_read(path) as stream:
        check_ours(stream, path)


def is_output(path: Path) -> bool:
    """Whether a run could go on with the file at ``path``, by its first line: also if it is empty or torn.

    Raises ``OSError``.
    """
    with path.open("rb") as stream:
        return _is_ours(first_line(stream))


def holds_results(path: Path) -> bool:
    """Whether the first line of the file at ``path`` is a whole result. Raises ``OSError``."""
    with path.open("rb") as stream:
        return _is_result(first_line(stream))


def _is_ours(first_line: bytes) -> bool:
    """Whether the first line is a result, or was about to become one when the writer died."""
    if _is_result(first_line):
        return True
    start = without_mark(first_line)
    return not start.endswith((b"\n", b"\r")) and start[: len(_OUR_START)] == _OUR_START[: len(start)]


def results_in(line: bytes) -> list[Result]:
    """The results that one line of a file holds: one, or several where their line ends are missing."""
    found = []
    for piece in pieces(line):
        with suppress(ValueError):
            found.append(decode_result(without_mark(piece)))
    return found


def _is_result(line: bytes) -> bool:
    """Whether a line begins with a whole result."""
    return any(results_in(piece) for piece in pieces(line)[:1])
