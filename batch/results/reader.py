"""Reads single results of a file by id: an index finds their lines without reading the whole file again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self

from batch.codec import decode_result, encode_line
from batch.errors import UsageError
from batch.results.contents import Contents, check_ours, refuse_newer, results_in, survey
from batch.results.filesystem import Disk, reason
from batch.results.line_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch.records import Known, Result
    from batch.results.reclassification import Restate


class ResultReader:
    """A result file, open for reading; a missing one has no results. Close it, for example by ``with``.

    Raises ``ForeignOutputError`` for another program's file, and ``OSError``. Another process may continue to
    write to the file: new lines are not seen. ``restate`` translates results of an older version. ``each`` is
    called with each line as it is, also with those that a later line supersedes.
    """

    def __init__(
        self, path: Path, restate: Restate | None = None, each: Callable[[Result], None] | None = None
    ) -> None:
        self.contents = Contents()
        self._restate = restate
        self._stream: BinaryIO | None = None
        try:
            self._stream = Disk().open_read(path)
        except FileNotFoundError:
            return
        try:
            self.contents = survey(self._stream, path, each, restate)
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def known(self, request_id: str) -> Known | None:
        """Return what the latest line of this id says; ``None`` if there is no line."""
        return self.contents.index.get(request_id)

    def results(self) -> Iterator[Result]:
        """Yield the latest line of each id, in file order."""
        return self.at(self.contents.index.latest())

    def at(self, numbers: Iterable[int]) -> Iterator[Result]:
        """Yield the results in the lines with these numbers. Raises ``OSError`` if the file has changed."""
        if self._stream is not None:
            for line in self.contents.lines(self._stream, numbers):
                yield _stated(decode_result(line), self._restate)

    def result(self, request_id: str) -> Result | None:
        """Return the latest result of this id; ``None`` if there is none or another run has replaced it."""
        number = self.contents.index.line(request_id)
        if number is None or self._stream is None:
            return None
        try:
            (line,) = self.contents.lines(self._stream, [number])
            result = _stated(decode_result(line), self._restate)
        except (OSError, ValueError):
            return None
        return result if result.id == request_id else None


def find(path: Path, request_id: str, restate: Restate | None = None) -> Result | None:
    """Return the latest result of one id by scanning the file; only lines that contain the id are decoded.

    ``restate`` translates results of an older version. Raises ``ForeignOutputError`` for another program's
    file, and ``OSError``.
    """
    found = None
    mark = encode_line(request_id)[:-1] if request_id.isascii() else b""  # others have two encodings
    with Disk().open_read(path) as stream:
        carriage_returns = check_ours(stream, path).endswith(b"\r")
        for number, line in enumerate(read_lines(stream, carriage_returns=carriage_returns), 1):
            if mark not in line:
                continue
            results = results_in(line)
            if not results:
                refuse_newer(line, path, number)
            for result in results:
                found = result if result.id == request_id else found
    return found if found is None else _stated(found, restate)


def _stated(result: Result, restate: Restate | None) -> Result:
    return result if restate is None else restate(result)


@contextmanager
def reading(output: Path) -> Iterator[None]:
    """Convert an ``OSError`` to a ``UsageError`` that says that ``output`` cannot be read."""
    try:
        yield
    except OSError as error:
        raise unreadable(output, error) from error


def unreadable(output: Path, error: OSError) -> UsageError:
    """Return the error for an output that cannot be read."""
    return UsageError(f"{output} cannot be read: {reason(error)}")
