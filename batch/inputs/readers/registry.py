"""Select the reader for a job's ``inputs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import Diagnostic
from batch.inputs.readers.csv import csv_rows
from batch.inputs.readers.documents import documents
from batch.inputs.readers.jsonl import jsonl_rows
from batch.inputs.readers.kept_columns import kept
from batch.inputs.readers.parquet import parquet_rows
from batch.inputs.readers.results import result_rows
from batch.inputs.readers.row import Row
from batch.inputs.readers.split import chunked
from batch.inputs.readers.table_files import Table, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs


def read_rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    """Yield the rows in order, lazily; ``output`` is the job's own, which is never an input."""
    rows = _rows(inputs, output)
    if inputs.split is not None:
        rows = chunked(rows, inputs.split)
    return kept(rows, inputs) if inputs.keep else rows


def _rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    if inputs.kind == "files":
        return documents(inputs, output)
    if inputs.kind == "results" and inputs.table is not None:
        return result_rows(inputs.table, inputs.group_by)
    if inputs.table is not None:
        return _table(inputs, inputs.table)
    return _several(inputs, output)


def _table(inputs: Inputs, path: Path, *, may_be_empty: bool = False) -> Iterator[Read]:
    match inputs.kind:
        case "csv":
            return csv_rows(path, inputs.id_field, may_be_empty=may_be_empty)
        case "parquet":
            return parquet_rows(path, inputs.id_field, may_be_empty=may_be_empty)
        case _:
            return jsonl_rows(path, inputs.id_field, may_be_empty=may_be_empty, each=inputs.skips)


def _several(inputs: Inputs, output: Path) -> Iterator[Read]:
    """Yield the rows of all files; some may have none, but not all."""
    is_empty = True
    for table in tables(inputs, output):
        if not isinstance(table, Table):
            is_empty = False
            yield table
            continue
        for item in _table(inputs, table.path, may_be_empty=True):
            is_empty = False
            yield _in_partition(item, table) if table.partition and isinstance(item, Row) else item
    if is_empty:
        place = inputs.places[0]
        yield Diagnostic(
            place.path, place.line, place.column, f"inputs.{inputs.kind}", "the files have no rows"
        )


def _in_partition(row: Row, table: Table) -> Row:
    """Return the row with the columns that the folders' names define."""
    return Row(row.id, {**table.partition, **row.variables}, row.metadata, row.path, row.line)
