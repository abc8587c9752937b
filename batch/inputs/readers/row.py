"""What the readers of a job's inputs yield: rows with their ids, invalid rows, and notices.

Ids are read as programs export them: ``1.0`` for ``1``, if a column of numbers has gaps.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - msgspec reads it
from dataclasses import dataclass
from decimal import Decimal
from math import isinf, isnan
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from msgspec import Struct

from batch.diagnostics import Place, diagnostic_at, did_you_mean, kind, shown
from batch.errors import Diagnostic
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

SKIPS_EMPTY = "has rows that leave the prompt empty, which are skipped (`on_empty: skip`)"
"""The notice for a file whose empty rows are skipped."""

SKIPS_BLANK = "is empty and is skipped (`on_empty: skip`)"
"""The notice for a blank document that is skipped."""


@dataclass(frozen=True, slots=True)
class InputsDiagnostic(Diagnostic):
    """An error of a key of ``inputs``, found as they are read: no prompt was filled from what it concerns."""

    @classmethod
    def of(cls, place: Place, key: str, what: str, hint: str = "") -> Self:
        """Return an error of ``inputs.<key>``."""
        return cls(place.path, place.line, place.column, f"inputs.{key}", what, hint)


@dataclass(frozen=True, slots=True)
class ColumnDiagnostic(InputsDiagnostic):
    """An error of a column that ``id_field`` or ``keep`` names. The prompts can be filled without it."""


class Row(Struct, frozen=True, gc=False):
    """The variables of one document or one row, and their place.

    ``id`` is ``None`` if the row has none. ``path`` and ``line`` are its place in errors; a document has line
    0.
    """

    id: str | None
    variables: dict[str, Any]
    metadata: JSONObject
    path: str
    line: int

    @property
    def place(self) -> Place:
        """The place of the row."""
        return Place(self.path, self.line, 1 if self.line else 0)

    def diagnostic(self, where: str, what: str, hint: str = "") -> Diagnostic:
        """Return an error in the row, or in what is made of it."""
        return diagnostic_at(self.place, where, what, hint)


class BadRow(Struct, frozen=True, gc=False):
    """One row or document that cannot be used, while the others can.

    ``id`` is that of the request that it would have been, as far as it is known.
    """

    diagnostic: Diagnostic
    id: str | None = None


class NoIdColumn(BadRow, frozen=True, gc=False):
    """A row that lacks the whole column of its id. Perhaps all rows of its file do."""


class BadDraft(BadRow, frozen=True, gc=False):
    """A row that cannot be filled into one prompt. The fields are those of ``expand.Draft``."""

    stem: tuple[str, ...] | None = None
    variant: tuple[str, ...] = ()
    targets: Sequence[int] = ()


class Caution(Struct, frozen=True, gc=False):
    """A warning about the job file, which is known once the inputs are read."""

    warning: Diagnostic


class Note(Struct, frozen=True, gc=False):
    """A notice about a file."""

    path: str
    what: str


Read: TypeAlias = Row | BadRow | Diagnostic | Note
"""One item that a reader yields. A ``Diagnostic`` concerns the inputs as a whole and is always an error."""


def bad_row(path: str, line: int, what: str, hint: str = "") -> BadRow:
    """Return an invalid row of a file; ``line`` counts from 1."""
    return BadRow(Diagnostic(path, line, 1, "", what, hint))


def without_id(path: str, line: int, error: IdError, where: str, column: int = 1) -> BadRow:
    """Return a row whose id cannot be read from the column ``where``."""
    form = NoIdColumn if isinstance(error, NoIdColumnError) else BadRow
    return form(Diagnostic(path, line, column, where, error.what, error.hint))


DEFAULT_ID = "id"

_MOST_LISTED = 8


class IdError(ValueError):
    """A row without a usable id. ``what`` is the error; ``hint`` may be empty."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


class NoIdColumnError(IdError):
    """A row that lacks the whole column of its id."""


def row_id(row: Mapping[str, Any], id_field: str | None) -> str | None:
    """Return the id of a row: in the column ``id_field``, if given, else in ``id``; or ``None``.

    Every row must have ``id_field``. Raises ``IdError``.
    """
    value = row.get(id_field or DEFAULT_ID)
    if value is None:
        if id_field is None:
            return None
        what = "is missing"
        raise IdError(what) if id_field in row else NoIdColumnError(what, _columns_hint(id_field, row))
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise IdError(
            "must not be empty" if value == "" else f"expected text or a whole number, got {kind(value)}"
        )
    return str(value)


def _columns_hint(name: str, row: Mapping[str, Any]) -> str:
    columns = [shown(column) for column in row]
    more = ", …" if len(columns) > _MOST_LISTED else ""
    return did_you_mean(name, row) or f"the columns are {', '.join(columns[:_MOST_LISTED])}{more}"


_EXACT = 2**53
"""Whole numbers below it are exact as floating-point numbers."""


class RowIds:
    """Reads the ids of one file's rows. ``notes`` has an entry once an id was read in another form."""

    def __init__(self, path: str, id_field: str | None) -> None:
        self.field = id_field or DEFAULT_ID
        self.notes: list[Note] = []
        self._path = path
        self._id_field = id_field
        self._noted = False

    def of(self, row: Mapping[str, Any]) -> str | None:
        """Return the id of a row, as ``row_id`` does. Raises ``IdError``."""
        try:
            return row_id(row, self._id_field)
        except IdError:
            value = row.get(self.field)
            if not isinstance(value, (float, Decimal)) or isinf(value):
                raise
            if not isnan(value) and value != int(value):
                raise
        if isnan(value):  # an empty cell among numbers
            return row_id({self.field: None}, self._id_field)
        if isinstance(value, float) and abs(value) >= _EXACT:
            raise IdError("a number too large to be exact", "write ids as text or as whole numbers")
        if not self._noted:
            self._noted = True
            what = f"has ids such as {value}, which are read as whole numbers ({int(value)})"
            self.notes.append(Note(self._path, what))
        return str(int(value))

    def take_notes(self) -> list[Note]:
        """Return the notes, once."""
        notes, self.notes = self.notes, []
        return notes
