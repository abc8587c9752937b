"""``inputs.id_field``: a column that no row has is one error in the job file, not one for each row."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from batch.diagnostics import shown
from batch.inputs.readers.registry import reader_of
from batch.inputs.readers.row import ColumnDiagnostic, NoIdColumn, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.errors import Diagnostic
    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs

_MOST_HELD = 1000
"""Rows without the column that are read before the column counts as missing everywhere."""


def with_id_column(rows: Iterable[Read], inputs: Inputs) -> Iterator[Read]:
    """Yield the rows of one file, or an error if none has the column ``inputs.id_field``.

    A job that skips invalid rows has sent the first ones by then, so it gets an error for each row.
    """
    if inputs.id_field is None or inputs.skips:
        yield from rows
        return
    most = 0 if reader_of(inputs.kind).HAS_HEADER else _MOST_HELD
    held: list[NoIdColumn] = []
    has_column = False
    for row in rows:
        if isinstance(row, NoIdColumn) and not has_column:
            held.append(row)
            if len(held) > most:
                break
            continue
        if isinstance(row, Row) and not has_column:
            has_column = True
            yield from held
        yield row
    if held and not has_column:
        yield _no_column(held[0].diagnostic, inputs)


def _no_column(first: Diagnostic, inputs: Inputs) -> Diagnostic:
    what = f"no column `{shown(first.where)}` in {PurePath(first.path).name}"
    return ColumnDiagnostic.of(inputs.id_place, "id_field", what, first.hint)
