"""``inputs.jsonl``: a JSON Lines file whose columns become variables, read as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import Diagnostic
from batch.inputs.readers.row import BadRow, IdError, Note, Row, RowIds, without_id
from batch.jobfile.syntax.json_lines import objects
from batch.jobfile.syntax.json_object import column_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs


NAME = "jsonl"
ENDINGS = (".jsonl", ".ndjson", ".json")
HAS_HEADER = False


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
    """Yield the rows of the file.

    If the job skips invalid rows, a line whose error probably repeats in all others (NaN) is an invalid row,
    and not an error of the whole file.
    """
    name = str(path)
    is_empty = True
    notes: list[str] = []
    ids = RowIds(name, inputs.id_field)
    for number, line, value in objects(path, notes=notes, each=inputs.skips):
        if is_empty:
            is_empty = False
            for note in notes:
                yield Note(name, note)
        if isinstance(value, Diagnostic):
            yield BadRow(value) if number else value
            continue
        key = value.get(ids.field)
        if isinstance(key, str) and key:  # most ids; the others need a closer look
            yield Row(key, value, {}, name, number)
            continue
        try:
            yield Row(ids.of(value), value, {}, name, number)
        except IdError as error:
            column = column_of(line, ids.field)
            yield without_id(name, number, error, ids.field, column)
        if ids.notes:
            yield from ids.take_notes()
    if is_empty and not may_be_empty:
        yield Diagnostic(name, 0, 0, "", "has no rows")
