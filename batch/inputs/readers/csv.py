"""``inputs.csv``: a table with a header, whose columns become variables, read as a stream.

Fields are separated by commas, or by semicolons or tabs if the header has more of those. A quoted field may
contain any of them, line ends too, and ``""`` for a quote. All values are text.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.errors import Diagnostic
from batch.files import open_regular, reason
from batch.inputs.readers.csv_header import NO_TEXT_ROWS, Header
from batch.inputs.readers.csv_records import CsvError, CsvRecords
from batch.inputs.readers.encodings import NO_TEXT, encoding_of
from batch.inputs.readers.row import DEFAULT_ID, BadRow, IdError, Note, Row, bad_row, row_id, without_id
from batch.jobfile.syntax.file_kinds import HEAD, foreign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs

NAME = "csv"
ENDINGS = (".csv", ".tsv", ".txt")
HAS_HEADER = True

_BLOCK = 2**20
_MAX_COLUMNS = 10_000
_MAX_BLANK = 10_000  # rows without text that are held back until a later row or the end


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
    """Yield the rows. Read the file twice: in blocks to determine its encoding, then row by row."""
    name = str(path)
    try:
        with open_regular(path) as file:
            problem = foreign(file.read(HEAD), "csv")
            file.seek(0)
            blocks = _Blocks(file)
            encoding = None if problem else encoding_of(blocks)
            if encoding is None:
                what, hint = problem or (NO_TEXT, "save the file as UTF-8")
                yield Diagnostic(name, 0, 0, "", what, hint)
                return
            if encoding.guessed:
                yield Note(name, encoding.notice)
            elif blocks.has_nul and encoding.name.startswith("utf-8"):
                yield Note(name, "has NUL characters, which stay in the texts")
            file.seek(0)
            with io.TextIOWrapper(file, encoding.name, newline="") as text:
                yield from _table(name, CsvRecords(text), inputs.id_field, may_be_empty=may_be_empty)
    except OSError as error:
        yield Diagnostic(name, 0, 0, "", reason(error))
    except UnicodeDecodeError:
        yield Diagnostic(name, 0, 0, "", NO_TEXT, "save the file as UTF-8")


class _Blocks:
    """The blocks of a file. ``has_nul``: whether one of them contained a NUL."""

    def __init__(self, file: BinaryIO) -> None:
        self.has_nul = False
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(_BLOCK):
            self.has_nul = self.has_nul or b"\0" in block
            yield block


def _table(name: str, records: CsvRecords, id_field: str | None, *, may_be_empty: bool) -> Iterator[Read]:
    for notice in records.notices:
        yield Note(name, notice)
    if records.first.startswith(('{"', "[{")) or records.first.strip() in ("{", "["):
        yield Diagnostic(name, 1, 1, "", "is JSON, not CSV", "`inputs.jsonl` reads JSON Lines")
        return
    try:
        line, written = next(records, (0, []))
        if 1 < len(written) <= _MAX_COLUMNS and not any(map(str.strip, written)):
            yield Note(name, NO_TEXT_ROWS)
            while written and not any(map(str.strip, written)):
                line, written = next(records, (0, []))
    except CsvError as error:
        yield Diagnostic(name, error.line, 1, "", f"in the header: {error.what}", error.hint)
        return
    if len(written) > _MAX_COLUMNS:
        yield Diagnostic(
            name, line, 1, "", f"more than {_MAX_COLUMNS} columns", "is the first line the header?"
        )
        return
    header = Header.of(written)
    if diagnostics := list(_header_diagnostics(name, line, header)):
        yield from diagnostics
        return
    for notice in header.notices:
        yield Note(name, notice)
    rows = _Rows(name, records, header, id_field)
    yield from rows.read()
    if rows.is_empty and not may_be_empty:
        hint = "the first line is the header, which names the columns"
        yield Diagnostic(name, 0, 0, "", "has no rows", hint)


def _header_diagnostics(name: str, line: int, header: Header) -> Iterator[Diagnostic]:
    seen: dict[str, int] = {}
    for number, column in enumerate(header.columns, header.start + 1):
        if not column:
            yield Diagnostic(
                name, line, 1, "", f"column {number} has no name", "the header names every column"
            )
        elif column in seen:
            what = f"column {number} has the name of column {seen[column]}: {shown(column)}"
            yield Diagnostic(name, line, 1, "", what, "give each a name of its own")
        seen.setdefault(column, number)


class _Rows:
    """The rows below a header. What programs add to them is removed, with one notice each."""

    def __init__(self, name: str, records: CsvRecords, header: Header, id_field: str | None) -> None:
        self.is_empty = True
        self._name = name
        self._records = records
        self._header = header
        self._id_field = id_field
        self._has_id = (id_field or DEFAULT_ID) in header.columns
        self._reported: set[str] = set()
        self._blank: list[tuple[int, list[str]]] = []

    def read(self) -> Iterator[Read]:
        """Yield all rows. Rows without any text are omitted after the last row, and if each row has an id."""
        while True:
            try:
                yield from self._sound()
            except CsvError as error:
                self.is_empty = False
                if error.fatal:
                    yield Diagnostic(self._name, error.line, 1, "", error.what, error.hint)
                    return
                yield bad_row(self._name, error.line, error.what, error.hint)
            else:
                break
        if self._blank:
            yield from self._notify(NO_TEXT_ROWS)
        if self._records.has_escapes:
            yield from self._notify("has quotes that a backslash escapes, as Spark writes them")

    def _sound(self) -> Iterator[Read]:
        """Yield the rows up to the next invalid one. Raises ``CsvError`` there."""
        columns, width = self._header.columns, self._header.plain_width
        name, id_field = self._name, self._id_field
        for line, fields in self._records:
            if not fields[0] and self._is_blank(fields):
                if self._has_id:
                    yield from self._notify(NO_TEXT_ROWS)
                else:
                    self._blank.append((line, fields))
                continue
            self.is_empty = False
            if self._blank:
                yield from self._held_back()
            if len(fields) == width:
                yield _read(name, line, dict(zip(columns, fields)), id_field)  # noqa: B905
            else:
                yield from self._row(line, fields)

    def _is_blank(self, fields: list[str]) -> bool:
        if len(fields) == 1 or any(fields):
            return False
        return self._has_id or len(self._blank) < _MAX_BLANK

    def _held_back(self) -> Iterator[Read]:
        """Yield the rows without text that are followed by another row."""
        for line, fields in self._blank:
            yield from self._row(line, fields)
        self._blank.clear()

    def _row(self, line: int, fields: list[str]) -> Iterator[Read]:
        """Read a row whose number of fields differs from the header's."""
        header = self._header
        below = fields[header.start : header.end]
        beyond = fields[header.end :]
        if len(below) < len(header.columns) or any(beyond):
            yield self._bad_row(line, fields)
            return
        if len(fields) > header.width:
            yield from self._notify("has separators at the ends of rows, which are left out")
        yield _read(self._name, line, dict(zip(header.columns, below, strict=True)), self._id_field)

    def _bad_row(self, line: int, fields: list[str]) -> BadRow:
        expected = self._header.width
        if len(fields) == expected:
            number = next(n for n, field in enumerate(fields, 1) if n > self._header.end and field)
            what = f"column {number} has a value, and no name in the header"
            return bad_row(self._name, line, what, "the header names every column")
        what = f"expected {expected} fields, as the header has, got {len(fields)}"
        hint = "put quotes around a field that contains the separator" if len(fields) > expected else ""
        return bad_row(self._name, line, what, hint)

    def _notify(self, notice: str) -> Iterator[Note]:
        if notice not in self._reported:
            self._reported.add(notice)
            yield Note(self._name, notice)


def _read(name: str, line: int, variables: dict[str, str], id_field: str | None) -> Read:
    try:
        return Row(row_id(variables, id_field), variables, {}, name, line)
    except IdError as error:
        return without_id(name, line, error, id_field or DEFAULT_ID)
