"""Read the rows of a job's ``inputs``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs.readers.documents import documents
from batch.inputs.readers.id_column import with_id_column
from batch.inputs.readers.kept_columns import kept
from batch.inputs.readers.registry import reader_of
from batch.inputs.readers.row import InputsDiagnostic, Row
from batch.inputs.readers.split import chunked
from batch.inputs.readers.table_files import Table, missing_table, tables
from batch.jobfile.job import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs


def read_rows(inputs: Inputs, output: Path, takes: Callable[[str], bool] | None = None) -> Iterator[Read]:
    """Yield the rows in order, lazily; ``output`` is the job's own, which is never an input.

    ``takes`` may leave out documents by their ids.
    """
    rows = documents(inputs, output, takes) if inputs.kind == DOCUMENTS else _table_rows(inputs, output)
    if inputs.split is not None:
        rows = chunked(rows, inputs.split)
    return kept(rows, inputs) if inputs.keep else rows


def _table_rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    if inputs.table is None:
        return _several(inputs, output)
    if (absent := missing_table(inputs)) is not None:
        return iter([absent])
    return with_id_column(reader_of(inputs.kind).rows(inputs.table, inputs, may_be_empty=False), inputs)


def _several(inputs: Inputs, output: Path) -> Iterator[Read]:
    """Yield the rows of all files; some may have none, but not all."""
    is_empty, reader = True, reader_of(inputs.kind)
    for table in tables(inputs, output):
        if not isinstance(table, Table):
            is_empty = False
            yield table
            continue
        for item in with_id_column(reader.rows(table.path, inputs, may_be_empty=True), inputs):
            is_empty = False
            yield _in_partition(item, table) if table.partition and isinstance(item, Row) else item
    if is_empty:
        yield InputsDiagnostic.of(inputs.places[0], inputs.kind, "the files have no rows")


def _in_partition(row: Row, table: Table) -> Row:
    """Return the row with the columns that the folders' names define."""
    return Row(row.id, {**table.partition, **row.variables}, row.metadata, row.path, row.line)
