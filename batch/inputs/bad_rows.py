"""Rows that are not sent, where ``on_bad_row: skip`` lets the others go.

Each is a request to nobody, which ends in a failed result with the code ``bad_row``. It has the id of the
request that it would have been; where the row brings none, that of its place (``rows.csv:17``). Once the row
is mended its fingerprint is another, and so it is sent.

Ids of rows that are not sent, which no other row of the job has.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import PurePath
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import shown
from batch.errors import Mistake  # noqa: TC001 - msgspec reads it
from batch.inputs.composed_ids import marked
from batch.inputs.identity import digest
from batch.inputs.readers.row import BadRow, Row
from batch.records import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.composed_ids import Composed
    from batch.inputs.readers.row import Read

NOBODY = ""
"""The target of a request that is not sent."""


class Origin(Struct, frozen=True, gc=False):
    """Where a request comes from: a file and its line, 0 where it has none; and its draft's number.

    ``bad`` says why the row is not sent; such a request goes to ``NOBODY``.
    """

    path: str
    line: int
    number: int
    bad: Mistake | None = None


def gone(request_id: str, target: str, model: str, mistake: Mistake) -> tuple[Request, Origin]:
    """A planned request whose row or document cannot be used any more, so that it is not sent.

    Its fingerprint is that of no content: once the input is repaired, the request is sent.
    """
    mark = digest(("input_changed", mistake.where, mistake.what))
    return Request(request_id, mark, target, model, ()), Origin(mistake.path, mistake.line, -1, mistake)


def refused(row: BadRow, request_id: str) -> tuple[Request, Origin]:
    """The request of a row that is not sent."""
    mistake = row.mistake
    mark = digest(("bad_row", mistake.where, mistake.what))
    request = Request(request_id, mark, NOBODY, "", ())
    return request, Origin(mistake.path, mistake.line, -1, mistake)


def place_of(mistake: Mistake) -> str:
    """A name for the place of a row: its file's and its line."""
    name = PurePath(mistake.path).name
    return f"{name}:{mistake.line}" if mistake.line else name


def without_repeats(rows: Iterable[Read]) -> Iterator[Read]:
    """The rows, with a bad one in place of each whose id has been there before.

    Of each id 88 bits of a digest are held.
    """
    seen: set[int] = set()
    for row in rows:
        if isinstance(row, Row | BadRow) and row.id:
            key = int.from_bytes(blake2b(row.id.encode(errors="surrogatepass"), digest_size=11).digest())
            if key in seen:
                yield _repeated(row) if isinstance(row, Row) else BadRow(row.mistake, row.mistake.path)
                continue
            seen.add(key)
        yield row


def _repeated(row: Row) -> BadRow:
    what = f"a second row with the id {shown(row.id or '')}"
    mistake = row.mistake("", what, "ids must be unique")
    # Under its own id it would take the place of the first.
    return BadRow(mistake, None if row.line else row.path)


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
