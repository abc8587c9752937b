"""``inputs.parquet``: a Parquet file whose columns become variables, read in batches through pyarrow.

A row's line, where a mistake names one, is its number in the file. Dates and times become text in the form
of ISO 8601; numbers, lists and structures stay what they are.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from batch.errors import Mistake
from batch.inputs.ids import DEFAULT_ID, IdError, row_id
from batch.inputs.row import Row, bad_row
from batch.jobfile.files import open_regular, reason
from batch.jobfile.places import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from batch.inputs.row import Read

_BATCH = 1000
"""Rows that are held at once."""


def parquet_rows(path: Path, id_field: str | None) -> Iterator[Read]:
    """The rows of the file. ``id_field`` names the column of the id; see ``row_id``."""
    name = str(path)
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and an extra
    except ImportError:
        hint = "pip install 'promptjobs[parquet]'"
        yield Mistake(name, 0, 0, "", "Parquet needs pyarrow, which is not installed", hint)
        return
    try:
        with open_regular(path) as file:
            yield from _rows(name, file, id_field)
    except pa.ArrowException as error:
        yield Mistake(name, 0, 0, "", f"not a Parquet file: {shown(str(error))}")
    except OSError as error:
        yield Mistake(name, 0, 0, "", reason(error))


def _rows(name: str, file: BinaryIO, id_field: str | None) -> Iterator[Read]:
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    table = ParquetFile(file)
    columns = table.schema_arrow.names
    if twice := {column for column in columns if columns.count(column) > 1}:
        what = f"two columns with the name {shown(min(twice))}"
        yield Mistake(name, 0, 0, "", what, "give each a name of its own")
        return
    number = 0
    for batch in table.iter_batches(batch_size=_BATCH):
        for values in batch.to_pylist():
            number += 1
            yield _row(name, number, _plain(values), id_field)
    if not number:
        yield Mistake(name, 0, 0, "", "has no rows")


def _row(name: str, number: int, variables: dict[str, Any], id_field: str | None) -> Read:
    try:
        return Row(row_id(variables, id_field), variables, {}, name, number)
    except IdError as error:
        return bad_row(name, number, error.what, error.hint, where=id_field or DEFAULT_ID)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value
