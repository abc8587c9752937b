"""Ids of rows that are not sent, which no other row of the job has."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from batch.inputs.composed_ids import marked
from batch.inputs.readers.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.composed_ids import Composed
    from batch.inputs.readers.row import Read

_PLACE = re.compile(r"(.+):[0-9]+", re.DOTALL)


class PlaceIds:
    """Rows that bring an id that looks like the place of a row (``rows.csv:17``); read once for a source."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        self.is_read = False

    def read(self, rows: Iterable[Read]) -> Iterator[None]:
        """Go through all rows, with a pause after each."""
        for row in rows:
            match = _PLACE.fullmatch(row.id) if isinstance(row, Row) and row.id else None
            if isinstance(row, Row) and row.id and match and match[1] == PurePath(row.path).name:
                self._found.add(row.id)
            yield None
        self.is_read = True

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._found


class BadIds:
    """Names the bad rows of one reading, each once."""

    def __init__(self, composed: Composed, places: PlaceIds) -> None:
        self._composed = composed
        self._places = places
        self._given: dict[str, int] = {}

    def name(self, wished: str, *, place: str | None, is_own: bool) -> str:
        """The id of a bad row: the one ``wished``, unless another row has it.

        ``place`` is that of a row that brings no id. ``is_own``: the id is that of the question that the row
        would have been, so that no other question has it.
        """
        name = wished
        is_free = is_own if place is None else place not in self._places
        if not is_free and self._composed.could_be(name):
            name = marked(name, ("bad_row", name))
        count = self._given[name] = self._given.get(name, 0) + 1
        return name if count == 1 else f"{name}~{count}"
