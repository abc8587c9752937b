"""Invalid rows that are not sent, if ``on_bad_row: skip`` lets the others continue.

Each is a request without a target, which ends in a failed result with the code ``bad_row``. It has the id of
the request that it would have been; if the row has none, that of its place (``rows.csv:17``). Once the row is
fixed, its fingerprint differs, and so it is sent.

The ids of such rows are unique in the job.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import PurePath
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.diagnostics import shown
from batch.errors import Diagnostic  # noqa: TC001 - msgspec reads it
from batch.inputs.composed_ids import marked
from batch.inputs.identity import digest
from batch.inputs.readers.row import BadRow, Row
from batch.records import JSONObject, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.composed_ids import Composed
    from batch.inputs.readers.row import Read

NO_TARGET = ""
"""The target of a request that is not sent."""


class Origin(Struct, frozen=True, gc=False):
    """The origin of a request: a file and its line, 0 if it has none; and the number of its draft.

    ``bad`` is the reason why the row is not sent; such a request has the target ``NO_TARGET``. ``variables``
    are those of its row, which is empty without inputs.
    """

    path: str
    line: int
    number: int
    bad: Diagnostic | None = None
    variables: JSONObject = {}


def gone(request_id: str, target: str, model: str, diagnostic: Diagnostic) -> tuple[Request, Origin]:
    """Return a planned request whose row or document has become unusable, so that it is not sent.

    Its fingerprint is that of no content: once the input is repaired, the request is sent.
    """
    mark = digest(("input_changed", diagnostic.where, diagnostic.what))
    return Request(request_id, mark, target, model, ()), Origin(
        diagnostic.path, diagnostic.line, -1, diagnostic
    )


def refused(row: BadRow, request_id: str) -> tuple[Request, Origin]:
    """Return the request of a row that is not sent."""
    diagnostic = row.diagnostic
    mark = digest(("bad_row", diagnostic.where, diagnostic.what))
    request = Request(request_id, mark, NO_TARGET, "", ())
    return request, Origin(diagnostic.path, diagnostic.line, -1, diagnostic)


def place_of(diagnostic: Diagnostic) -> str:
    """Return a name for the place of a row: its file and its line."""
    name = PurePath(diagnostic.path).name
    return f"{name}:{diagnostic.line}" if diagnostic.line else name


def without_repeats(rows: Iterable[Read]) -> Iterator[Read]:
    """Yield the rows, with an error for each whose id has occurred before.

    For each id, 88 bits of a digest are kept.
    """
    seen: set[int] = set()
    for row in rows:
        if isinstance(row, Row | BadRow) and row.id:
            key = int.from_bytes(blake2b(row.id.encode(errors="surrogatepass"), digest_size=11).digest())
            if key in seen:
                yield _repeated(row) if isinstance(row, Row) else BadRow(row.diagnostic, row.diagnostic.path)
                continue
            seen.add(key)
        yield row


def _repeated(row: Row) -> BadRow:
    what = f"duplicate id {shown(row.id or '')}"
    diagnostic = row.diagnostic("", what, "ids must be unique")
    # With its own id it would replace the first.
    return BadRow(diagnostic, None if row.line else row.path)


_PLACE = re.compile(r"(.+):[0-9]+", re.DOTALL)


class PlaceIds:
    """Rows whose ids look like the place of a row (``rows.csv:17``); read once for a source."""

    def __init__(self) -> None:
        self._found: set[str] = set()
        self.is_read = False

    def read(self, rows: Iterable[Read]) -> Iterator[None]:
        """Read all rows, with a pause after each."""
        for row in rows:
            match = _PLACE.fullmatch(row.id) if isinstance(row, Row) and row.id else None
            if isinstance(row, Row) and row.id and match and match[1] == PurePath(row.path).name:
                self._found.add(row.id)
            yield None
        self.is_read = True

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._found


class BadIds:
    """Assigns ids to the invalid rows of one reading, each once."""

    def __init__(self, composed: Composed, places: PlaceIds) -> None:
        self._composed = composed
        self._places = places
        self._given: dict[str, int] = {}

    def name(self, preferred: str, *, place: str | None, is_own: bool) -> str:
        """Return the id of an invalid row: ``preferred``, unless another row has it.

        ``place`` is that of a row without an id. ``is_own``: the id is that of the request that the row would
        have been, so no other request has it.
        """
        name = preferred
        is_free = is_own if place is None else place not in self._places
        if not is_free and self._composed.could_be(name):
            name = marked(name, ("bad_row", name))
        count = self._given[name] = self._given.get(name, 0) + 1
        return name if count == 1 else f"{name}~{count}"
