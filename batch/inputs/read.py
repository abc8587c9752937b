"""From what a job's ``inputs`` say to their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs.csv_rows import csv_rows
from batch.inputs.documents import documents
from batch.inputs.jsonl_rows import jsonl_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.inputs.row import Read
    from batch.jobfile import Inputs

_TABLES = {"csv": csv_rows, "jsonl": jsonl_rows}


def read_rows(inputs: Inputs, output: Path) -> Iterator[Read]:
    """The rows in their order, lazily; ``output`` is the job's own, which is never an input."""
    if inputs.table is None:
        return documents(inputs, output)
    return _TABLES[inputs.kind](inputs.table, inputs.id_field)
