"""Index of the requests in the output, with less than a hundred bytes per line.

A dict from id to ``Known`` takes five times as much, which matters for a file with millions of lines. So the
data of the lines is stored in flat arrays, in file order. An open-addressing hash table of line numbers finds
a line by the digest of its id: a compact dict without objects.
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
_SUCCEEDED, _RETRYABLE, _FOREIGN, _LATEST, _CLAIMED, _UNREADABLE = 1, 2, 4, 8, 16, 32
_RESTATED = 64
_MAX_BYTE = 255  # the maximum of a byte


class Index:
    """The index of a file; lines are numbered from 0, in the order in which they were added."""

    def __init__(self) -> None:
        self.superseded = 0
        self.unreadable = 0
        self.replaced_successes = 0  # by a line with the same fingerprint
        self.replaced_failures: Counter[str] = Counter()
        self._keys = array("Q")  # for each line: the halves of its id's digest
        self._checks = array("Q")
        self._fingerprints = bytearray()
        self._flags = bytearray()
        self._runs = bytearray()
        self._codes = bytearray()
        self._names = [""]  # names of error codes
        self._table = array("I", [0]) * 64  # line numbers from 1; 0: free
        self._free = 32  # number of ids until the table is half full

    def __len__(self) -> int:
        """Return the number of known ids."""
        return len(self._flags) - self.superseded - self.unreadable

    def line(self, request_id: str) -> int | None:
        """Return the number of the latest line of this id; ``None`` if there is none."""
        found = self._table[self._find(*_digest(request_id))] if self._flags else 0
        return found - 1 if found else None

    def get(self, request_id: str) -> Known | None:
        """Return what the latest line of this id says.

        A fingerprint in another format than this program's is returned empty, and so matches none.
        """
        line = self.line(request_id)
        return None if line is None else self.at(line)

    def at(self, line: int) -> Known:
        """Return what the line with this number says."""
        flags = self._flags[line]
        return Known(
            fingerprint="" if flags & _FOREIGN else self._fingerprints[16 * line : 16 * line + 16].hex(),
            succeeded=bool(flags & _SUCCEEDED),
            retryable=bool(flags & _RETRYABLE),
            runs=self._runs[line],
            code=self._names[self._codes[line]],
            restated=bool(flags & _RESTATED),
        )

    def put(self, request_id: str, known: Known) -> None:
        """Add a line; it supersedes an earlier one with its id."""
        key, check = _digest(request_id)
        slot = self._find(key, check)
        earlier = self._table[slot] - 1
        fingerprint, flags = _packed(known)
        self._append(key, check, fingerprint, flags)
        if known.runs:
            self._runs[-1] = min(known.runs, _MAX_BYTE)
        if known.code:
            self._codes[-1] = self._number(known.code)
        self._table[slot] = len(self._flags)
        if earlier >= 0:
            self._count_replaced(earlier, fingerprint)
            self._flags[earlier] &= 0 if self._is_rewritten(earlier, fingerprint) else _SUCCEEDED
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

    def _is_rewritten(self, line: int, fingerprint: bytes) -> bool:
        """Whether the next line has the same answer, with its new reading by finish reason."""
        is_restated = self._flags[line] & _RESTATED
        return bool(is_restated) and self._fingerprints[16 * line : 16 * line + 16] == fingerprint

    def put_unreadable(self) -> None:
        """Add a line that is not a result."""
        self._append(0, 0, _NO_FINGERPRINT, _UNREADABLE)
        self.unreadable += 1

    def claim(self, request_id: str) -> int | None:
        """Return the number of the latest line of this id on the first call, then ``None``."""
        line = self.line(request_id)
        if line is None or self._flags[line] & _CLAIMED:
            return None
        self._flags[line] |= _CLAIMED
        return line

    def last(self, line: int) -> int:
        """Return the number of the latest line with the id of this one, which is a result."""
        return self._table[self._find(self._keys[line], self._checks[line])] - 1

    def latest(self) -> Iterator[int]:
        """Yield the lines that are not superseded, in file order, as all iterators below do."""
        return self._lines(_LATEST, _LATEST)

    def claimed(self) -> Iterator[int]:
        """Yield the latest lines that have been claimed."""
        return self._lines(_CLAIMED, _CLAIMED)

    def unclaimed(self) -> Iterator[int]:
        """Yield the latest lines that have not been claimed."""
        return self._lines(_LATEST | _CLAIMED, _LATEST)

    def restated(self) -> Iterator[int]:
        """Yield the latest lines that ``restate`` changes."""
        return self._lines(_LATEST | _RESTATED, _LATEST | _RESTATED)

    def to_rewrite(self) -> Iterator[int]:
        """Yield the changed lines whose requests are not sent again: only the line has to be rewritten."""
        return self._lines(_LATEST | _RESTATED | _RETRYABLE, _LATEST | _RESTATED)

    def restated_codes(self) -> Counter[str]:
        """Count the changed lines by their new error code; empty for an answer."""
        return Counter(self._names[self._codes[line]] for line in self.restated())

    def superseded_lines(self) -> Iterator[int]:
        """Yield the superseded lines."""
        return self._lines(_LATEST | _UNREADABLE, 0)

    def superseded_answers(self) -> Iterator[int]:
        """Yield the superseded lines of succeeded results."""
        return self._lines(_LATEST | _UNREADABLE | _SUCCEEDED, _SUCCEEDED)

    def unreadable_lines(self) -> Iterator[int]:
        """Yield the lines that are not results."""
        return self._lines(_UNREADABLE, _UNREADABLE)

    def readable_lines(self) -> Iterator[int]:
        """Yield the lines that are results, superseded or not."""
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
        """Return the slot of the id's latest line in the table, or the free slot for it."""
        table, keys, mask = self._table, self._keys, len(self._table) - 1
        slot = key & mask
        while line := table[slot]:
            if keys[line - 1] == key and self._checks[line - 1] == check:
                break
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        """Double the table, so that at most half of its slots are used."""
        size = 2 * len(self._table)
        self._table = table = array("I", [0]) * size
        self._free = size // 4  # half of it is used when the next one is created
        for line in self.latest():
            slot = self._keys[line] & (size - 1)
            while table[slot]:
                slot = (slot + 1) & (size - 1)
            table[slot] = line + 1

    def _number(self, code: str) -> int:
        """Return a byte for the code; codes after the first 255, more than this program has, share one."""
        if code not in self._names:
            if len(self._names) > _MAX_BYTE:
                return _MAX_BYTE
            self._names.append(code)
        return self._names.index(code)


def _digest(request_id: str) -> tuple[int, int]:
    text = request_id if request_id.isascii() else well_formed(request_id)
    key, check = _HALVES(blake2b(text.encode(), digest_size=16).digest())
    return key, check


def _packed(known: Known) -> tuple[bytes, int]:
    """Return the fingerprint in 16 bytes, and the flags."""
    flags = _LATEST | _SUCCEEDED * known.succeeded | _RETRYABLE * known.retryable
    flags |= _RESTATED * known.restated
    written = known.fingerprint
    if len(written) == 32 and written == written.lower():
        try:
            fingerprint = bytes.fromhex(written)
        except ValueError:
            return _NO_FINGERPRINT, flags | _FOREIGN
        if len(fingerprint) == 16:  # it contained no white space
            return fingerprint, flags
    return _NO_FINGERPRINT, flags | _FOREIGN
