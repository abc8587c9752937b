"""What every reader of rows must do, as tests to subclass.

::

    from batch.testing.readers import ReaderConformance
    from my_package import my_reader

    class TestMyReader(ReaderConformance):
        reader = my_reader
        data = b"id|word\na|tree\n"
        expected = (("a", {"id": "a", "word": "tree"}),)

pytest collects the tests of the subclass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.errors import Diagnostic
from batch.inputs.readers.row import BadRow, Note, Row
from batch.jobfile.job import Inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.inputs.readers.protocol import Reader
    from batch.inputs.readers.row import Read

HOSTILE = (
    b"",
    b"\n",
    b"\0" * 99,
    b"\xff\xfe\x00",
    b"{",
    b"[" * 9999,
    b"\xef\xbb\xbf",
    b"PK\x03\x04",
    b"a\rb",
)
"""What a file may begin with that is no such file."""


class ReaderConformance:
    """The tests. ``data`` is a file of rows, ``expected`` their ids and variables; no row of it is bad."""

    reader: Reader
    data: bytes
    expected: Sequence[tuple[str | None, dict[str, Any]]]

    def _rows(self, path: Path, *, may_be_empty: bool = False) -> list[Read]:
        inputs = Inputs(path.parent, (path.parent,), kind=self.reader.NAME, table=path)
        return list(self.reader.rows(path, inputs, may_be_empty=may_be_empty))

    def _file(self, folder: Path, data: bytes) -> Path:
        path = folder / f"rows{self.reader.ENDINGS[0]}"
        path.write_bytes(data)
        return path

    def test_names(self) -> None:
        """The name is a key of a job file, and the endings are lower case."""
        _require(self.reader.NAME.isidentifier(), "NAME must be a key")
        _require(bool(self.reader.ENDINGS), "ENDINGS must not be empty")
        for each in self.reader.ENDINGS:
            _require(each.startswith(".") and each == each.lower(), f"{each!r} must be `.` and lower case")

    def test_rows_have_their_ids_and_variables(self, tmp_path: Path) -> None:
        """Each row also knows its file and its line."""
        path = self._file(tmp_path, self.data)
        rows = [item for item in self._rows(path) if not isinstance(item, Note)]
        found = [(row.id, row.variables) for row in rows if isinstance(row, Row)]
        _require(found == list(self.expected), f"the rows are {found}")
        for row in rows:
            _require(
                isinstance(row, Row) and row.path == str(path) and row.line > 0,
                f"{row} lacks its path or line",
            )

    def test_a_file_gives_the_same_rows_each_time(self, tmp_path: Path) -> None:
        """A run reads its inputs several times."""
        path = self._file(tmp_path, self.data)
        _require(self._rows(path) == self._rows(path), "the rows must be the same each time")

    def test_no_file_is_an_error_and_no_exception(self, tmp_path: Path) -> None:
        """It may be gone since the pattern was expanded."""
        found = self._rows(tmp_path / "none", may_be_empty=True)
        is_error = [type(item) for item in found] == [Diagnostic]
        _require(is_error, f"no file must be an error, not {found}")

    def test_hostile_bytes_raise_nothing(self, tmp_path: Path) -> None:
        """A file may hold anything, and may be cut anywhere."""
        cuts = [self.data[:length] for length in range(0, len(self.data), max(1, len(self.data) // 50))]
        for data in (*HOSTILE, *cuts):
            for item in self._rows(self._file(tmp_path, data)):
                _require(isinstance(item, (Row, BadRow, Diagnostic, Note)), f"{item!r} is nothing to yield")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
