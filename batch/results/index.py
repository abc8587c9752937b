"""Which requests the output knows, in well under a hundred bytes a line.

A dict from id to ``Known`` takes five times as much, which counts when a file has millions of lines. So what
is known of a line stands in flat arrays, in the order of the file, and an open hash table of line numbers
finds it by the digest of its id: a compact dict without an object in it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING

from batch.codec import well_formed
from batch.records import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALVES = Struct("<QQ").unpack
_NO_FINGERPRINT = bytes(16)
_SUCCEEDED, _RETRYABLE, _STRANGE, _LATEST, _CLAIMED, _UNREADABLE = 1, 2, 4, 8, 16, 32
_RESTATED = 64
_MOST = 255  # what a byte can count


class Index:
    """What each line of a file says; lines are numbered from 0, in the order in which they were added."""

    def __init__(self) -> None:
        self.superseded = 0
        self.unreadable = 0
        self.replaced_successes = 0  # by a line with the same fingerprint
        self.replaced_failures: Counter[str] = Counter()
        self._keys = array("Q")  # of each line: the halves of its id's digest
        self._checks = array("Q")
        self._fingerprints = bytearray()
        self._flags = bytearray()
        self._runs = bytearray()
        self._codes = bytearray()
        self._names = [""]  # of error codes
        self._table = array("I", [0]) * 64  # line numbers from 1; 0: free
        self._free = 32  # ids until the table is half full

    def __len__(self) -> int:
        """The ids that are known."""
        return len(self._flags) - self.superseded - self.unreadable

    def line(self, request_id: str) -> int | None:
        """The number of the latest line of this id; ``None`` where there is none."""
        found = self._table[self._find(*_digest(request_id))] if self._flags else 0
        return found - 1 if found else None

    def get(self, request_id: str) -> Known | None:
        """What the latest line of this id says.

        A fingerprint that this program would not write comes back empty, and so matches none.
        """
        line = self.line(request_id)
        return None if line is None else self.at(line)

    def at(self, line: int) -> Known:
        """Return what the line with this number says."""
        flags = self._flags[line]
        return Known(
            fingerprint="" if flags & _STRANGE else self._fingerprints[16 * line : 16 * line + 16].hex(),
            succeeded=bool(flags & _SUCCEEDED),
            retryable=bool(flags & _RETRYABLE),
            runs=self._runs[line],
            code=self._names[self._codes[line]],
            restated=bool(flags & _RESTATED),
        )

    def put(self, request_id: str, known: Known) -> None:
        """Add a line; it supersedes an earlier one of its id."""
        key, check = _digest(request_id)
        slot = self._find(key, check)
        earlier = self._table[slot] - 1
        fingerprint, flags = _packed(known)
        self._append(key, check, fingerprint, flags)
        if known.runs:
            self._runs[-1] = min(known.runs, _MOST)
        if known.code:
            self._codes[-1] = self._number(known.code)
        self._table[slot] = len(self._flags)
        if earlier >= 0:
            self._count_replaced(earlier, fingerprint)
            self._flags[earlier] &= 0 if self._is_written_again(earlier, fingerprint) else _SUCCEEDED
            self.superseded += 1
            return
        self._free -= 1
        if not self._free:
            self._grow()

    def _count_replaced(self, line: int, fingerprint: bytes) -> None:
        if self._fingerprints[16 * line : 16 * line + 16] == fingerprint:
            if self._flags[line] & _SUCCEEDED:
                self.replaced_successes += 1
            else:
                self.replaced_failures[self._names[self._codes[line]]] += 1

    def _is_written_again(self, line: int, fingerprint: bytes) -> bool:
        """Whether the line that follows holds the same answer, read by its finish reason."""
        is_restated = self._flags[line] & _RESTATED
        return bool(is_restated) and self._fingerprints[16 * line : 16 * line + 16] == fingerprint

    def put_unreadable(self) -> None:
        """Add a line that is not a result."""
        self._append(0, 0, _NO_FINGERPRINT, _UNREADABLE)
        self.unreadable += 1

    def claim(self, request_id: str) -> int | None:
        """The number of the latest line of this id, the first time that it is asked for."""
        line = self.line(request_id)
        if line is None or self._flags[line] & _CLAIMED:
            return None
        self._flags[line] |= _CLAIMED
        return line

    def latest(self) -> Iterator[int]:
        """The numbers of the lines that no other supersedes, in the file's order, as all that follow."""
        return self._lines(_LATEST, _LATEST)

    def claimed(self) -> Iterator[int]:
        """Those of them that have been claimed."""
        return self._lines(_CLAIMED, _CLAIMED)

    def unclaimed(self) -> Iterator[int]:
        """Those of them that nobody has claimed."""
        return self._lines(_LATEST | _CLAIMED, _LATEST)

    def restated(self) -> Iterator[int]:
        """Those of them that are read otherwise than they say."""
        return self._lines(_LATEST | _RESTATED, _LATEST | _RESTATED)

    def to_write_again(self) -> Iterator[int]:
        """Those of these whose requests are not sent again: only the line has to be another one."""
        return self._lines(_LATEST | _RESTATED | _RETRYABLE, _LATEST | _RESTATED)

    def restated_codes(self) -> Counter[str]:
        """Those, by the code of the error that they amount to; empty for an answer."""
        return Counter(self._names[self._codes[line]] for line in self.restated())

    def superseded_lines(self) -> Iterator[int]:
        """The lines that another one supersedes."""
        return self._lines(_LATEST | _UNREADABLE, 0)

    def superseded_answers(self) -> Iterator[int]:
        """Those of them that succeeded."""
        return self._lines(_LATEST | _UNREADABLE | _SUCCEEDED, _SUCCEEDED)

    def unreadable_lines(self) -> Iterator[int]:
        """The lines that are not results."""
        return self._lines(_UNREADABLE, _UNREADABLE)

    def readable_lines(self) -> Iterator[int]:
        """The lines that are results, whether they count or not."""
        return self._lines(_UNREADABLE, 0)

    def _lines(self, mask: int, value: int) -> Iterator[int]:
        return (line for line, flags in enumerate(self._flags) if flags & mask == value)

    def _append(self, key: int, check: int, fingerprint: bytes, flags: int) -> None:
        self._keys.append(key)
        self._checks.append(check)
        self._fingerprints += fingerprint
        self._flags.append(flags)
        self._runs.append(0)
        self._codes.append(0)

    def _find(self, key: int, check: int) -> int:
        """The place in the table that leads to the id's latest line, or the free one where that belongs."""
        table, keys, mask = self._table, self._keys, len(self._table) - 1
        slot = key & mask
        while line := table[slot]:
            if keys[line - 1] == key and self._checks[line - 1] == check:
                break
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        """Twice the places, so that at most every second one is taken."""
        size = 2 * len(self._table)
        self._table = table = array("I", [0]) * size
        self._free = size // 4  # half of it is taken when the next one is made
        for line in self.latest():
            slot = self._keys[line] & (size - 1)
            while table[slot]:
                slot = (slot + 1) & (size - 1)
            table[slot] = line + 1

    def _number(self, code: str) -> int:
        """A byte for the code; those beyond the 255 first ones, which no run of ours can bring, share one."""
        if code not in self._names:
            if len(self._names) > _MOST:
                return _MOST
            self._names.append(code)
        return self._names.index(code)


def _digest(request_id: str) -> tuple[int, int]:
    text = request_id if request_id.isascii() else well_formed(request_id)
    key, check = _HALVES(blake2b(text.encode(), digest_size=16).digest())
    return key, check


def _packed(known: Known) -> tuple[bytes, int]:
    """The fingerprint in 16 bytes, and the flags."""
    flags = _LATEST | _SUCCEEDED * known.succeeded | _RETRYABLE * known.retryable
    flags |= _RESTATED * known.restated
    written = known.fingerprint
    if len(written) == 32 and written == written.lower():
        try:
            fingerprint = bytes.fromhex(written)
        except ValueError:
            return _NO_FINGERPRINT, flags | _STRANGE
        if len(fingerprint) == 16:  # nothing in it was white space
            return fingerprint, flags
    return _NO_FINGERPRINT, flags | _STRANGE
