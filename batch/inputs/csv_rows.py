"""``inputs.csv``: a table with a header, whose columns become variables, read as a stream.

Fields are separated by commas, or by semicolons or tabs where the header has more of those. A field in
quotes may hold any of them, line ends too, and ``""`` for a quote. All values are text.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from batch.errors import Mistake
from batch.inputs.csv_lines import CsvError, CsvRecords
from batch.inputs.encodings import NO_TEXT, encoding_of
from batch.inputs.ids import DEFAULT_ID, IdError, row_id
from batch.inputs.row import Note, Row, bad_row
from batch.jobfile.files import open_regular, reason
from batch.jobfile.places import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.row import Read

_BLOCK = 2**20
_MOST_COLUMNS = 10_000


def csv_rows(path: Path, id_field: str | None) -> Iterator[Read]:
    """The rows of the file. ``id_field`` names the column of the id; see ``row_id``.

    The file is read twice: once in blocks, to know its encoding, then row by row.
    """
    name = str(path)
    try:
        with open_regular(path) as file:
            encoding = encoding_of(iter(lambda: file.read(_BLOCK), b""))
            if encoding is None:
                yield Mistake(name, 0, 0, "", NO_TEXT, "save the file as UTF-8")
                return
            if encoding.guessed:
                yield Note(name, encoding.remark)
            file.seek(0)
            with io.TextIOWrapper(file, encoding.name, newline="") as text:
                yield from _table(name, CsvRecords(text), id_field)
    except OSError as error:
        yield Mistake(name, 0, 0, "", reason(error))
    except UnicodeDecodeError:
        yield Mistake(name, 0, 0, "", NO_TEXT, "save the file as UTF-8")


def _table(name: str, records: CsvRecords, id_field: str | None) -> Iterator[Read]:
    try:
        line, header = next(records, (0, []))
    except CsvError as error:
        yield Mistake(name, error.line, 1, "", f"in the header: {error.what}", error.hint)
        return
    if len(header) > _MOST_COLUMNS:
        yield Mistake(
            name, line, 1, "", f"more than {_MOST_COLUMNS} columns", "is the first line the header?"
        )
        return
    header = [column.strip() for column in header]
    if mistakes := list(_header_mistakes(name, line, header)):
        yield from mistakes
        return
    is_empty = True
    for item in _rows(name, records, header, id_field):
        is_empty = False
        yield item
    if is_empty:
        yield Mistake(name, 0, 0, "", "has no rows", "the first line is the header, which names the columns")


def _header_mistakes(name: str, line: int, header: list[str]) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for number, column in enumerate(header, 1):
        if not column:
            yield Mistake(name, line, 1, "", f"column {number} has no name", "the header names every column")
        elif column in seen:
            what = f"column {number} has the name of column {seen[column]}: {shown(column)}"
            yield Mistake(name, line, 1, "", what, "give each a name of its own")
        seen.setdefault(column, number)


def _rows(name: str, records: CsvRecords, header: list[str], id_field: str | None) -> Iterator[Read]:
    while True:
        try:
            line, fields = next(records)
        except StopIteration:
            return
        except CsvError as error:
            if error.fatal:
                yield Mistake(name, error.line, 1, "", error.what, error.hint)
                return
            yield bad_row(name, error.line, error.what, error.hint)
        else:
            yield _row(name, line, header, fields, id_field)


def _row(name: str, line: int, header: list[str], fields: list[str], id_field: str | None) -> Read:
    if len(fields) != len(header):
        return bad_row(name, line, f"expected {len(header)} fields, as the header has, got {len(fields)}")
    variables = dict(zip(header, fields, strict=True))
    try:
        return Row(row_id(variables, id_field), variables, {}, name, line)
    except IdError as error:
        return bad_row(name, line, error.what, error.hint, where=id_field or DEFAULT_ID)
