"""``inputs.jsonl``: a JSON Lines file whose columns become variables, read as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.errors import Mistake
from batch.inputs.row import Row
from batch.jobfile.explain import did_you_mean
from batch.jobfile.jsonl import column_of, objects
from batch.jobfile.trees import kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DEFAULT_ID = "id"


def rows(path: Path, id_field: str | None) -> Iterator[Row | Mistake]:
    """The rows of the file; a mistake in place of each bad one.

    ``id_field`` names the column of the id, which every row must have then. Without it a column ``id`` is
    taken where a row has one.
    """
    name = str(path)
    count = 0
    for number, line, value in objects(path):
        count += 1
        if isinstance(value, Mistake):
            yield value
            continue
        found = _id(value, id_field)
        if isinstance(found, tuple):
            column = column_of(line, id_field or _DEFAULT_ID)
            yield Mistake(name, number, column, id_field or _DEFAULT_ID, *found)
        else:
            yield Row(found, value, {}, name, number)
    if not count:
        yield Mistake(name, 0, 0, "", "has no rows")


def _id(row: dict[str, Any], id_field: str | None) -> str | tuple[str, str] | None:
    """The row's id, ``None``, or what is wrong with it and a hint."""
    value = row.get(id_field or _DEFAULT_ID)
    if value is None:
        return ("is missing", did_you_mean(id_field, row)) if id_field else None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        what = "must not be empty" if value == "" else f"expected text or a whole number, got {kind(value)}"
        return what, ""
    return str(value)
