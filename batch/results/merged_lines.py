"""The lines that a merged output contains, chosen from those of several outputs of one job.

The newest line of an id decides what was asked last, by its fingerprint. Of the lines with that fingerprint
a success counts before a failure, and then the newest line. So the choice does not depend on the order of the
outputs. Lines are compared by numbers only, with about a hundred bytes each.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING

from batch.codec import encode_result, known
from batch.results.index import Index
from batch.results.reclassification import WITHOUT_JOB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MergedLines:
    """The lines of several outputs, numbered from 0 in the order in which they were added."""

    def __init__(self) -> None:
        self._index = Index()
        self._times = array("Q")
        self._digests = array("Q")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, result: Result) -> None:
        """Add a line."""
        self._index.put(result.id, known(WITHOUT_JOB(result)))
        self._times.append(_microseconds(result.completed_at))
        self._digests.append(_digest(result))

    def choose(self) -> Chosen:
        """Return the lines that count, and the succeeded ones that do not; nothing can be added after it."""
        best = self._best()
        latest = array("I", self._index.latest())
        superseded = array("I", self._superseded(best))
        winners = array("I", (best[line] for line in latest))
        succeeded = sum(self._index.at(line).succeeded for line in winners)
        self._index = Index()  # sorting needs its memory
        return Chosen(self._in_order(winners), self._in_order(superseded), succeeded)

    def _best(self) -> array[int]:
        """Return the best line of each id, at the number of its last one."""
        index = self._index
        newest = array("I", range(len(self)))
        for line in index.superseded_lines():
            last = index.last(line)
            newest[last] = max(newest[last], line, key=self._age)
        best = newest[:]
        for line in index.superseded_lines():
            last = index.last(line)
            asked = index.at(newest[last]).fingerprint
            for each in (line, last):
                if index.at(each).fingerprint == asked:
                    best[last] = max(best[last], each, key=self._rank)
        return best

    def _superseded(self, best: array[int]) -> Iterator[int]:
        """Yield the succeeded lines that another one supersedes, without copies."""
        index = self._index
        seen: set[int] = set()
        replaced = (line for line in index.latest() if best[line] != line)
        for line in (*index.superseded_lines(), *replaced):
            digest = self._digests[line]
            if digest == self._digests[best[index.last(line)]] or digest in seen:
                continue
            if index.at(line).succeeded:
                seen.add(digest)
                yield line

    def _age(self, line: int) -> tuple[int, int]:
        return self._times[line], self._digests[line]

    def _rank(self, line: int) -> tuple[bool, int, int]:
        return (self._index.at(line).succeeded, *self._age(line))

    def _in_order(self, lines: array[int]) -> array[int]:
        """Sort lines by their times, and those with the same time by their content."""
        keys = [self._times[line] << 96 | self._digests[line] << 32 | line for line in lines]
        keys.sort()
        return array("I", (key & 0xFFFFFFFF for key in keys))


class Chosen:
    """The numbers of ``lines`` to write, and of ``superseded`` lines to keep elsewhere, by time.

    ``succeeded`` counts the lines to write that have succeeded.
    """

    def __init__(self, lines: array[int], superseded: array[int], succeeded: int) -> None:
        self.lines = lines
        self.superseded = superseded
        self.succeeded = succeeded


def _digest(result: Result) -> int:
    """Return a hash of a line's content: equal lines are copies."""
    return int.from_bytes(blake2b(encode_result(result), digest_size=8).digest())


def _microseconds(text: str) -> int:
    """Return a time in ISO 8601 as microseconds since 1970; 0 for any other text."""
    try:
        at = datetime.fromisoformat(text)
        since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return 0
    return max(0, since // _MICROSECOND)
