"""``inputs.csv``: a table with a header, whose columns become variables, read as a stream.

Fields are separated by commas, or by semicolons or tabs where the header has more of those. A field in
quotes may hold any of them, line ends too, and ``""`` for a quote. All values are text.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.errors import Mistake
from batch.files import open_regular, reason
from batch.inputs.readers.csv_header import NO_TEXT_ROWS, Header
from batch.inputs.readers.csv_records import CsvError, CsvRecords
from batch.inputs.readers.encodings import NO_TEXT, encoding_of
from batch.inputs.readers.row import DEFAULT_ID, BadRow, IdError, Note, Row, bad_row, row_id
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
_MOST_COLUMNS = 10_000
_MOST_BLANK = 10_000  # rows without text that are held until it is known whether they are the last


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
    """The rows of the file, which is read twice: once in blocks, to know its encoding, then row by row."""
    name = str(path)
    try:
        with open_regular(path) as file:
            complaint = foreign(file.read(HEAD), "csv")
            file.seek(0)
            blocks = _Blocks(file)
            encoding = None if complaint else encoding_of(blocks)
            if encoding is None:
                what, hint = complaint or (NO_TEXT, "save the file as UTF-8")
                yield Mistake(name, 0, 0, "", what, hint)
                return
            if encoding.guessed:
                yield Note(name, encoding.remark)
            elif blocks.has_nul and encoding.name.startswith("utf-8"):
                yield Note(name, "has NUL characters, which stay in the texts")
            file.seek(0)
            with io.TextIOWrapper(file, encoding.name, newline="") as text:
                yield from _table(name, CsvRecords(text), inputs.id_field, may_be_empty=may_be_empty)
    except OSError as error:
        yield Mistake(name, 0, 0, "", reason(error))
    except UnicodeDecodeError:
        yield Mistake(name, 0, 0, "", NO_TEXT, "save the file as UTF-8")


class _Blocks:
    """The blocks of a file. ``has_nul``: whether one of them has had a NUL in it."""

    def __init__(self, file: BinaryIO) -> None:
        self.has_nul = False
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(_BLOCK):
            self.has_nul = self.has_nul or b"\0" in block
            yield block


def _table(name: str, records: CsvRecords, id_field: str | None, *, may_be_empty: bool) -> Iterator[Read]:
    for remark in records.remarks:
        yield Note(name, remark)
    if records.first.startswith(('{"', "[{")) or records.first.strip() in ("{", "["):
        yield Mistake(name, 1, 1, "", "is JSON, not CSV", "`inputs.jsonl` reads JSON Lines")
        return
    try:
        line, written = next(records, (0, []))
        if 1 < len(written) <= _MOST_COLUMNS and not any(map(str.strip, written)):
            yield Note(name, NO_TEXT_ROWS)
            while written and not any(map(str.strip, written)):
                line, written = next(records, (0, []))
    except CsvError as error:
        yield Mistake(name, error.line, 1, "", f"in the header: {error.what}", error.hint)
        return
    if len(written) > _MOST_COLUMNS:
        yield Mistake(
            name, line, 1, "", f"more than {_MOST_COLUMNS} columns", "is the first line the header?"
        )
        return
    header = Header.of(written)
    if mistakes := list(_header_mistakes(name, line, header)):
        yield from mistakes
        return
    for remark in header.remarks:
        yield Note(name, remark)
    rows = _Rows(name, records, header, id_field)
    yield from rows.read()
    if rows.is_empty and not may_be_empty:
        hint = "the first line is the header, which names the columns"
        yield Mistake(name, 0, 0, "", "has no rows", hint)


def _header_mistakes(name: str, line: int, header: Header) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for number, column in enumerate(header.columns, header.start + 1):
        if not column:
            yield Mistake(name, line, 1, "", f"column {number} has no name", "the header names every column")
        elif column in seen:
            what = f"column {number} has the name of column {seen[column]}: {shown(column)}"
            yield Mistake(name, line, 1, "", what, "give each a name of its own")
        seen.setdefault(column, number)


class _Rows:
    """The rows below a header, with what programs add to them taken off and said once."""

    def __init__(self, name: str, records: CsvRecords, header: Header, id_field: str | None) -> None:
        self.is_empty = True
        self._name = name
        self._records = records
        self._header = header
        self._id_field = id_field
        self._has_id = (id_field or DEFAULT_ID) in header.columns
        self._said: set[str] = set()
        self._blank: list[tuple[int, list[str]]] = []

    def read(self) -> Iterator[Read]:
        """All rows. Those without any text are left out after the last row, and where each has an id."""
        while True:
            try:
                yield from self._sound()
            except CsvError as error:
                self.is_empty = False
                if error.fatal:
                    yield Mistake(self._name, error.line, 1, "", error.what, error.hint)
                    return
                yield bad_row(self._name, error.line, error.what, error.hint)
            else:
                break
        if self._blank:
            yield from self._say(NO_TEXT_ROWS)
        if self._records.has_escapes:
            yield from self._say("has quotes that a backslash escapes, as Spark writes them")

    def _sound(self) -> Iterator[Read]:
        """The rows as far as the next that is none. Raises ``CsvError`` there."""
        columns, width = self._header.columns, self._header.plain_width
        name, id_field = self._name, self._id_field
        for line, fields in self._records:
            if not fields[0] and self._is_blank(fields):
                if self._has_id:
                    yield from self._say(NO_TEXT_ROWS)
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
        return self._has_id or len(self._blank) < _MOST_BLANK

    def _held_back(self) -> Iterator[Read]:
        """The rows without text that turn out not to be the last ones."""
        for line, fields in self._blank:
            yield from self._row(line, fields)
        self._blank.clear()

    def _row(self, line: int, fields: list[str]) -> Iterator[Read]:
        """A row whose fields are not simply those that the header names."""
        header = self._header
        below = fields[header.start : header.end]
        beyond = fields[header.end :]
        if len(below) < len(header.columns) or any(beyond):
            yield self._misfit(line, fields)
            return
        if len(fields) > header.width:
            yield from self._say("has separators at the ends of rows, which are left out")
        yield _read(self._name, line, dict(zip(header.columns, below, strict=True)), self._id_field)

    def _misfit(self, line: int, fields: list[str]) -> BadRow:
        expected = self._header.width
        if len(fields) == expected:
            number = next(n for n, field in enumerate(fields, 1) if n > self._header.end and field)
            what = f"column {number} has a value, and no name in the header"
            return bad_row(self._name, line, what, "the header names every column")
        what = f"expected {expected} fields, as the header has, got {len(fields)}"
        hint = "a text with a separator in it needs quotes around it" if len(fields) > expected else ""
        return bad_row(self._name, line, what, hint)

    def _say(self, remark: str) -> Iterator[Note]:
        if remark not in self._said:
            self._said.add(remark)
            yield Note(self._name, remark)


def _read(name: str, line: int, variables: dict[str, str], id_field: str | None) -> Read:
    try:
        return Row(row_id(variables, id_field), variables, {}, name, line)
    except IdError as error:
        return bad_row(name, line, error.what, error.hint, where=id_field or DEFAULT_ID)
