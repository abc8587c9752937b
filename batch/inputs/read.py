"""From what a job's ``inputs`` say to their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs.chunks import chunked
from batch.inputs.csv_rows import csv_rows
from batch.inputs.documents import documents
from batch.inputs.jsonl_rows import jsonl_rows
from batch.inputs.parquet_rows import parquet_rows
from batch.inputs.result_rows import result_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.row import Read
    from batch.jobfile import Inputs


def read_rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    """The rows in their order, lazily; ``output`` is the job's own, which is never an input."""
    rows = _rows(inputs, output)
    return rows if inputs.split is None else chunked(rows, inputs.split)


def _rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    table, id_field = inputs.table, inputs.id_field
    match inputs.kind:
        case "csv" if table:
            return csv_rows(table, id_field)
        case "jsonl" if table:
            return jsonl_rows(table, id_field)
        case "parquet" if table:
            return parquet_rows(table, id_field)
        case "results" if table:
            return result_rows(table, inputs.group_by)
        case _:
            return documents(inputs, output)
