"""The ids of rows as programs export them: ``1.0`` for ``1``, where a column of numbers has gaps."""

from __future__ import annotations

from decimal import Decimal
from math import isinf, isnan
from typing import TYPE_CHECKING, Any

from batch.inputs.readers.ids import DEFAULT_ID, IdError, row_id
from batch.inputs.readers.row import Note

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXACT = 2**53
"""Whole numbers below it are exact as floating-point numbers."""


class RowIds:
    """Reads the ids of one file's rows. ``notes`` has one once an id was read in another form."""

    def __init__(self, path: str, id_field: str | None) -> None:
        self.field = id_field or DEFAULT_ID
        self.notes: list[Note] = []
        self._path = path
        self._id_field = id_field
        self._noted = False

    def of(self, row: Mapping[str, Any]) -> str | None:
        """The id of a row, as ``row_id`` has it. Raises ``IdError``."""
        try:
            return row_id(row, self._id_field)
        except IdError:
            value = row.get(self.field)
            if not isinstance(value, (float, Decimal)) or isinf(value):
                raise
            if not isnan(value) and value != int(value):
                raise
        if isnan(value):  # a gap among numbers
            return row_id({self.field: None}, self._id_field)
        if isinstance(value, float) and abs(value) >= _EXACT:
            raise IdError("a number too large to be exact", "write ids as text or as whole numbers")
        if not self._noted:
            self._noted = True
            what = f"has ids such as {value}, which are read as whole numbers ({int(value)})"
            self.notes.append(Note(self._path, what))
        return str(int(value))

    def take_notes(self) -> list[Note]:
        """The notes, once."""
        notes, self.notes = self.notes, []
        return notes
