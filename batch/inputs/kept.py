"""``inputs.keep``: columns that are copied to the metadata of each result."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batch.errors import Mistake
from batch.inputs.row import BadRow, Row
from batch.jobfile.explain import did_you_mean
from batch.jobfile.nulls import is_null
from batch.jobfile.places import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.row import Read
    from batch.jobfile import Inputs


class _UnkeepableError(ValueError):
    """A value that a result line cannot hold."""


def kept(rows: Iterable[Read], inputs: Inputs) -> Iterator[Read]:
    """The rows with the columns ``inputs.keep`` in their metadata, as far as they have them.

    What the rows' own metadata say under the same name stays. A column that no row has is a mistake.
    """
    missing = dict.fromkeys(inputs.keep)
    known: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, Row):
            yield row
            continue
        if missing:
            known |= dict.fromkeys(row.variables)
            missing = {name: None for name in missing if name not in row.variables}
        try:
            values = {name: _json(row.variables[name]) for name in inputs.keep if name in row.variables}
        except _UnkeepableError:
            names = [name for name in inputs.keep if _is_unkeepable(row.variables.get(name))]
            what = f"the column `{shown(names[0])}` holds bytes, which `keep` cannot copy"
            yield BadRow(row.mistake("inputs.keep", what, "leave it out of `keep`"), row.id)
            continue
        yield Row(row.id, row.variables, {**values, **row.metadata}, row.path, row.line)
    for name in missing if known else ():
        place = inputs.keep_place
        hint = did_you_mean(name, known) or f"the columns are {', '.join(map(shown, list(known)[:20]))}"
        what = f"no row has the column `{shown(name)}`"
        yield Mistake(place.path, place.line, place.column, "inputs.keep", what, hint)


def _json(value: Any) -> Any:
    """The value as JSON has it."""
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


def _is_unkeepable(value: Any) -> bool:
    try:
        _json(value)
    except _UnkeepableError:
        return True
    return False
