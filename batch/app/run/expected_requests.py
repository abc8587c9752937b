"""The requests that a plan sends to one target, so that each can be recognized by its id and content.

A request takes 12 bytes here. Positions in the inputs are only a hint: an input may change during a run, and
then another request is at the planned position.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Request


_MASK = 2**32 - 1


class Match(Enum):
    """How a request that was read compares with the plan."""

    PLANNED = "planned"
    """It was planned with this content, and is taken now."""
    EDITED = "edited"
    """It was planned with other content."""
    OTHER = "other"
    """It was not planned, or was taken before."""


class Expected:
    """Planned requests in order. With ``keeps_ids`` it can list those that remain."""

    def __init__(self, *, keeps_ids: bool = False) -> None:
        self._keys = array("q")
        self._contents = array("I")
        self._ids: list[str] | None = [] if keeps_ids else None

    def add(self, request: Request) -> None:
        """Add a request at the end."""
        self._keys.append(hash(request.id))
        self._contents.append(_content(request))
        if self._ids is not None:
            self._ids.append(request.id)

    def reading(self, left: int) -> Reading:
        """Start a new reading of the inputs, in which ``left`` requests are to be found."""
        return Reading(self._keys, self._contents, self._ids, left)


class Reading:
    """The planned requests that one target has found so far.

    While it is ``in_order``, only the next planned request is looked for. After ``search``, every remaining
    request is found at any position. If the plan has kept no keys, any request is the next one.
    """

    def __init__(self, keys: array[int], contents: array[int], ids: list[str] | None, left: int) -> None:
        self._keys = keys
        self._contents = contents
        self._ids = ids
        self._next = 0
        self._sorted: array[int] | None = None
        self._taken = bytearray()
        self.left = left

    @property
    def in_order(self) -> bool:
        """Whether everything that was read was at its planned position."""
        return self._sorted is None

    def search(self) -> None:
        """From now on, find each remaining request by its id."""
        self._sorted = array("I", sorted(range(self._next, len(self._keys)), key=self._keys.__getitem__))
        self._taken = bytearray(len(self._sorted))

    def takes_next(self, request: Request) -> bool:
        """Return whether the request is the next planned one, found now. The fast path of ``match``."""
        at = self._next
        if self._sorted is not None or at >= len(self._keys) or self._keys[at] != hash(request.id):
            return False
        if self._contents[at] != hash(request.fingerprint) & _MASK:
            return False
        self._next = at + 1
        self.left -= 1
        return True

    def match(self, request: Request) -> Match:
        """Compare a request with the plan; a ``PLANNED`` one counts as found."""
        if not self._keys:
            self.left -= 1
            return Match.PLANNED
        at = self._find(request.id)
        if at is None:
            return Match.OTHER
        if self._contents[self._index(at)] != _content(request):
            return Match.EDITED
        self._take(at)
        return Match.PLANNED

    def expects(self, request_id: str) -> bool:
        """Return whether the request with this id is still to be found."""
        return self._find(request_id) is not None

    def take(self, request_id: str) -> None:
        """Count the request with this id as found, whatever its content."""
        at = self._find(request_id)
        if at is not None:
            self._take(at)

    def ids_left(self) -> Iterator[str]:
        """Return the ids of those that were not found, if ids are kept."""
        if self._ids is None:
            return
        if self._sorted is None:
            yield from self._ids[self._next :]
            return
        for at, index in enumerate(self._sorted):
            if not self._taken[at]:
                yield self._ids[index]

    def _find(self, request_id: str) -> int | None:
        key = hash(request_id)
        if self._sorted is None:
            is_next = self._next < len(self._keys) and self._keys[self._next] == key
            return self._next if is_next else None
        at = bisect_left(self._sorted, key, key=self._keys.__getitem__)
        found = at < len(self._sorted) and self._keys[self._sorted[at]] == key
        return at if found and not self._taken[at] else None

    def _index(self, at: int) -> int:
        return at if self._sorted is None else self._sorted[at]

    def _take(self, at: int) -> None:
        self.left -= 1
        if self._sorted is None:
            self._next += 1
        else:
            self._taken[at] = True


def _content(request: Request) -> int:
    return hash(request.fingerprint) & _MASK
