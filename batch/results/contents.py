"""What a result file holds, read as a stream; nothing here changes it."""

from __future__ import annotations

from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from batch.codec import decode_result, known
from batch.errors import ForeignOutputError
from batch.records import SCHEMA_VERSION
from batch.results.files import Disk
from batch.results.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch.records import Known, Result
    from batch.results.restate import Restate

_LONGEST_FIRST_LINE = 1 << 28  # bytes; a huge file of somebody else may have no line ends at all
_OUR_START = f'{{"schema_version":{SCHEMA_VERSION},"id":"'.encode()


class Contents:
    """The lines of a result file: what each says, where it begins, and which of them count.

    ``length`` is that of all whole lines in bytes; ``torn`` that of what follows the last of them. Lines are
    numbered from 0.
    """

    def __init__(self) -> None:
        self.index = Index()
        self.length = 0
        self.torn = 0
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

    def lines(self, stream: BinaryIO, numbers: Iterable[int]) -> Iterator[bytes]:
        """The file's lines with these numbers, in the order in which they are asked for.

        Raises ``OSError`` where the file is no longer as it was.
        """
        for number in numbers:
            start = self._starts[number]
            end = self._starts[number + 1] if number + 1 < len(self._starts) else self.length
            stream.seek(start)
            line = stream.read(end - start)
            if len(line) < end - start or not line.endswith(b"\n"):
                raise OSError("the file has been changed by somebody else")
            yield line


def survey(
    stream: BinaryIO,
    path: Path,
    each: Callable[[Result], None] | None = None,
    restate: Restate | None = None,
) -> Contents:
    """Read a whole file, and show each line that is a result to ``each``.

    Lines are decoded whole: skipping the fields that are not asked for was measured, and it saves nothing
    once their UTF-8 is checked. So what counts as done can also be read. ``restate`` says how a line has to
    be read. Raises ``ForeignOutputError`` where the first line is not a result.
    """
    check_ours(stream, path)
    contents = Contents()
    for line in stream:
        if not line.endswith(b"\n"):
            contents.torn = len(line)
            break
        try:
            result = decode_result(line)
        except ValueError:
            contents.add_unreadable(len(line))
            continue
        stated = result if restate is None else restate(result)
        contents.add(result.id, known(stated, restated=stated is not result), len(line))
        if each is not None:
            each(result)
    return contents


def check_ours(stream: BinaryIO, path: Path) -> None:
    """Raise ``ForeignOutputError`` unless the stream, at its beginning, holds results; leave it there."""
    if not _is_ours(stream.readline(_LONGEST_FIRST_LINE)):
        raise ForeignOutputError(f"{path} was not written by promptjobs: its first line is not a result")
    stream.seek(0)


def refuse_foreign(path: Path) -> None:
    """Raise ``ForeignOutputError`` for a file of somebody else; who opens it says why it cannot be read."""
    with suppress(OSError), Disk().open_read(path) as stream:
        check_ours(stream, path)


def is_output(path: Path) -> bool:
    """Whether a run could go on with the file at ``path``, by its first line: also if it is empty or torn.

    Raises ``OSError``.
    """
    with path.open("rb") as stream:
        return _is_ours(stream.readline(_LONGEST_FIRST_LINE))


def holds_results(path: Path) -> bool:
    """Whether the first line of the file at ``path`` is a whole result. Raises ``OSError``."""
    with path.open("rb") as stream:
        line = stream.readline(_LONGEST_FIRST_LINE)
    return line.endswith(b"\n") and _is_ours(line)


def _is_ours(first_line: bytes) -> bool:
    """Whether the first line is a result, or was about to become one when the writer died."""
    if not first_line.endswith(b"\n"):
        return first_line[: len(_OUR_START)] == _OUR_START[: len(first_line)]
    try:
        decode_result(first_line)
    except ValueError:
        return False
    return True
