"""``inputs.keep``: columns that are copied to the metadata of each result."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batch.diagnostics import did_you_mean, shown
from batch.inputs.readers.registry import reader_of
from batch.inputs.readers.row import BadRow, ColumnDiagnostic, Note, Row
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.nulls import is_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch.errors import Diagnostic
    from batch.inputs.readers.row import Read
    from batch.jobfile import Inputs


class _UnkeepableError(ValueError):
    """A value that a result line cannot hold."""


def kept(rows: Iterable[Read], inputs: Inputs) -> Iterator[Read]:
    """Yield the rows with the columns ``inputs.keep`` in their metadata, as far as they have them.

    Metadata that the rows themselves have under the same name stay. A column that no row has is an error: at
    the first row if all rows have the same columns, else after the last. A job that skips invalid rows has
    already sent the others by then, so the error becomes a notice.
    """
    missing, known = dict.fromkeys(inputs.keep), dict[str, None]()
    has_header = inputs.kind != DOCUMENTS and reader_of(inputs.kind).HAS_HEADER
    for row in rows:
        if not isinstance(row, Row):
            yield row
            continue
        if missing:
            known |= dict.fromkeys(row.variables)
            missing = {name: None for name in missing if name not in row.variables}
            if missing and inputs.table is not None and has_header:
                break
        yield _with_columns(row, inputs.keep)
    for name in missing if known else ():
        diagnostic = _no_column(name, known, inputs)
        is_late = inputs.skips and not has_header
        note = Note(diagnostic.path, f"keeps a column that no row has: {shown(name)}")
        yield note if is_late else diagnostic


def _with_columns(row: Row, names: Sequence[str]) -> Row | BadRow:
    values = {}
    for name in names:
        if name in row.variables:
            try:
                values[name] = _json(row.variables[name])
            except _UnkeepableError:
                what = f"the column `{shown(name)}` holds a value that `keep` cannot copy to JSON"
                diagnostic = ColumnDiagnostic.of(row.place, "keep", what, "leave it out of `keep`")
                return BadRow(diagnostic, row.id)
    return Row(row.id, row.variables, {**values, **row.metadata}, row.path, row.line)


def _no_column(name: str, known: Iterable[str], inputs: Inputs) -> Diagnostic:
    columns = list(known)
    hint = did_you_mean(name, columns) or f"the columns are {', '.join(map(shown, columns[:20]))}"
    what = f"no row has the column `{shown(name)}`"
    return ColumnDiagnostic.of(inputs.keep_place, "keep", what, hint)


def _json(value: Any) -> Any:
    """Return the value as JSON."""
    if is_null(value):
        return None
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {str(key): _json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(part) for part in value]
    if isinstance(value, (Decimal, timedelta)):
        return str(value)
    raise _UnkeepableError
