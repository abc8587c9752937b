"""``inputs.parquet``: a Parquet file whose columns become variables, read in batches through pyarrow.

The line of a row, as errors report it, is its number in the file. Dates and times become ISO 8601 text;
numbers, lists and structures keep their type (``parquet_values``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from batch.diagnostics import shown
from batch.errors import Diagnostic
from batch.files import open_regular, reason
from batch.inputs.readers.row import IdError, Row, RowIds, without_id
from batch.jobfile.syntax.file_kinds import HEAD, foreign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs

NAME = "parquet"
ENDINGS = (".parquet", ".parq", ".pq")
HAS_HEADER = True

_BATCH = 1000
"""Rows that are held at once."""

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_LEAST = 12  # bytes: both magic numbers and the footer's length
_HINT = "write or copy the file again"


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Read]:
    """Yield the rows of the file; keep one batch of them in memory."""
    name = str(path)
    try:
        import pyarrow as pa  # noqa: PLC0415 - large, and an extra
    except ImportError:
        hint = "pip install 'promptjobs[parquet]'"
        yield Diagnostic(name, 0, 0, "", "Parquet needs pyarrow, which is not installed", hint)
        return
    failures = (pa.ArrowException, ValueError, ArithmeticError, LookupError, TypeError, NotImplementedError)
    try:
        with open_regular(path) as file:
            if (diagnostic := _not_parquet(name, file)) is not None:
                yield diagnostic
                return
            is_empty = True
            for item in _rows(name, file, inputs.id_field):
                is_empty = False
                yield item
            if is_empty and not may_be_empty:
                yield Diagnostic(name, 0, 0, "", "has no rows")
    except OSError as error:
        if error.errno is None and error.strerror is None and str(error):  # pyarrow's errors for a file
            yield _damaged(name, error)
        else:
            yield Diagnostic(name, 0, 0, "", reason(error))
    except failures as error:
        yield _damaged(name, error)


def _damaged(name: str, error: Exception) -> Diagnostic:
    return Diagnostic(name, 0, 0, "", f"cannot be read as Parquet: {shown(str(error))}", _HINT)


def _not_parquet(name: str, file: BinaryIO) -> Diagnostic | None:
    """Return what is wrong with a file that does not begin and end like a Parquet file."""
    head = file.read(HEAD)
    size = file.seek(0, 2)
    file.seek(max(size - len(_MAGIC), 0))
    tail = file.read()
    file.seek(0)
    if not head:
        return Diagnostic(name, 0, 0, "", "is empty", _HINT)
    if (problem := foreign(head, "parquet")) is not None:
        return Diagnostic(name, 0, 0, "", *problem)
    if not head.startswith(_MAGIC):
        return Diagnostic(name, 0, 0, "", "not a Parquet file", _looks_like(head))
    if tail == _ENCRYPTED:
        return Diagnostic(name, 0, 0, "", "is an encrypted Parquet file", "write it without encryption")
    if tail != _MAGIC or size < _LEAST:
        return Diagnostic(name, 0, 0, "", "is a Parquet file whose end is missing", _HINT)
    return None


def _looks_like(head: bytes) -> str:
    if head.lstrip().startswith((b"{", b"[")):
        return "`inputs.jsonl` reads JSON Lines"
    return "" if b"\0" in head else "`inputs.csv` reads CSV"


def _rows(name: str, file: BinaryIO, id_field: str | None) -> Iterator[Read]:
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    from batch.inputs.readers.parquet_values import values_of  # noqa: PLC0415 - imports pyarrow

    table = ParquetFile(file)
    columns = table.schema_arrow.names
    if twice := {column for column in columns if columns.count(column) > 1}:
        what = f"two columns with the name {shown(min(twice))}"
        yield Diagnostic(name, 0, 0, "", what, "give each a name of its own")
        return
    intervals = _intervals(table)
    ids = RowIds(name, id_field)
    number = 0
    for batch in _batches(table):
        if isinstance(batch, str):
            yield Diagnostic(name, number + 1, 1, "", batch, _HINT)
            return
        values = [values_of(column) for column in batch.columns]
        for index in (index for index, column in enumerate(columns) if column in intervals):
            values[index] = _interval_texts(batch.column(index))
        rows = zip(*values, strict=True) if columns else ((),) * batch.num_rows
        for row in rows:
            number += 1
            yield _row(name, number, dict(zip(columns, row, strict=True)), ids)
            if ids.notes:
                yield from ids.take_notes()


def _batches(table: Any) -> Iterator[Any]:
    """Yield the batches; for one that cannot be read, yield the error and its column, and stop."""
    batches = table.iter_batches(batch_size=_BATCH)
    done = 0
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - pyarrow raises many types for damaged pages
            yield f"{_unreadable_row(table, done)}cannot be read: {shown(str(error))}"
            return
        done += batch.num_rows
        yield batch


def _unreadable_row(table: Any, done: int) -> str:
    """Return the unreadable column in the batch after the first ``done`` rows, with a space after it."""
    for column in table.schema_arrow.names:
        seen = 0
        try:
            for batch in table.iter_batches(batch_size=_BATCH, columns=[column]):
                seen += batch.num_rows
                if seen > done:
                    break
        except Exception:  # noqa: BLE001 - as above
            return f"column {shown(column)} "
    return ""


def _intervals(table: Any) -> set[str]:
    """Return the columns of Parquet's type INTERVAL, which Arrow represents as twelve bytes."""
    leaves = (table.schema.column(index) for index in range(len(table.schema)))
    return {leaf.path for leaf in leaves if leaf.converted_type == "INTERVAL" and leaf.length == 12}


def _interval_texts(array: Any) -> list[str | None]:
    from batch.inputs.readers.iso_time import interval_text  # noqa: PLC0415

    texts: list[str | None] = []
    for value in array.to_pylist():
        months, days, milliseconds = struct.unpack("<3I", value) if value is not None else (0, 0, 0)
        texts.append(None if value is None else interval_text(months, days, milliseconds * 10**6))
    return texts


def _row(name: str, number: int, variables: dict[str, Any], ids: RowIds) -> Read:
    try:
        return Row(ids.of(variables), variables, {}, name, number)
    except IdError as error:
        return without_id(name, number, error, ids.field)
