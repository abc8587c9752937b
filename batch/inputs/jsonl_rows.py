"""``inputs.jsonl``: a JSON Lines file whose columns become variables, read as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import Mistake
from batch.inputs.ids import DEFAULT_ID, IdError, row_id
from batch.inputs.row import BadRow, Row, bad_row
from batch.jobfile.jsonl import column_of, objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.row import Read


def jsonl_rows(path: Path, id_field: str | None) -> Iterator[Read]:
    """The rows of the file. ``id_field`` names the column of the id; see ``row_id``."""
    name = str(path)
    count = 0
    for number, line, value in objects(path):
        count += 1
        if isinstance(value, Mistake):
            yield BadRow(value) if number else value
            continue
        try:
            yield Row(row_id(value, id_field), value, {}, name, number)
        except IdError as error:
            where = id_field or DEFAULT_ID
            yield bad_row(name, number, error.what, error.hint, where=where, column=column_of(line, where))
    if not count:
        yield Mistake(name, 0, 0, "", "has no rows")
