"""Which requests the output knows, in at most about a hundred bytes each.

A dict from id to ``Known`` takes four times as much, which counts when a file has millions of lines. This
is an open hash table in one ``bytearray``: a slot holds the digest of the id, the fingerprint, where the
line begins, and what became of the request.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

from batch.codec import well_formed
from batch.records import Known

_SLOT = Struct("<16s16sQBB")  # digest of the id, fingerprint, offset of the line, flags, runs
_FLAGS = 40  # where in a slot the flags stand; no flags, no entry
_USED, _SUCCEEDED, _RETRYABLE, _STRANGE = 1, 2, 4, 8
_MOST_RUNS = 255


class Index:
    """A map from a request's id to what its latest line says, and where that line begins."""

    def __init__(self) -> None:
        self.succeeded = 0
        self.failed = 0
        self._slots = 64
        self._table = bytearray(self._slots * _SLOT.size)

    def __len__(self) -> int:
        return self.succeeded + self.failed

    def get(self, request_id: str) -> Known | None:
        """What the latest line of this id says.

        A fingerprint that this program would not write comes back empty, and so matches none.
        """
        if not len(self):
            return None
        at = self._find(_digest(request_id))
        _, fingerprint, _, flags, runs = _SLOT.unpack_from(self._table, at)
        if not flags:
            return None
        return Known(
            fingerprint="" if flags & _STRANGE else fingerprint.hex(),
            succeeded=bool(flags & _SUCCEEDED),
            retryable=bool(flags & _RETRYABLE),
            runs=runs,
        )

    def offset(self, request_id: str) -> int | None:
        """Where the latest line of this id begins; ``None`` where there is none."""
        _, _, offset, flags, _ = _SLOT.unpack_from(self._table, self._find(_digest(request_id)))
        return offset if flags else None

    def put(self, request_id: str, known: Known, offset: int) -> int | None:
        """Record the line at ``offset``; return the offset of the line of this id that it supersedes."""
        if len(self) * 3 >= self._slots * 2:
            self._grow()
        digest = _digest(request_id)
        at = self._find(digest)
        _, _, superseded, old_flags, _ = _SLOT.unpack_from(self._table, at)
        fingerprint, flags = _packed(known)
        _SLOT.pack_into(self._table, at, digest, fingerprint, offset, flags, min(known.runs, _MOST_RUNS))
        self._count(old_flags, -1)
        self._count(flags, +1)
        return superseded if old_flags else None

    def _count(self, flags: int, step: int) -> None:
        if flags & _SUCCEEDED:
            self.succeeded += step
        elif flags:
            self.failed += step

    def _find(self, digest: bytes) -> int:
        """The place of the digest's slot, or of the free slot where it belongs."""
        table, slot = self._table, int.from_bytes(digest[:8]) % self._slots
        while True:
            at = slot * _SLOT.size
            if not table[at + _FLAGS] or table[at : at + 16] == digest:
                return at
            slot = (slot + 1) % self._slots

    def _grow(self) -> None:
        old = self._table
        self._slots += self._slots // 2
        self._table = bytearray(self._slots * _SLOT.size)
        for at in range(0, len(old), _SLOT.size):
            if old[at + _FLAGS]:
                slot = self._find(bytes(old[at : at + 16]))
                self._table[slot : slot + _SLOT.size] = old[at : at + _SLOT.size]


def _digest(request_id: str) -> bytes:
    return blake2b(well_formed(request_id).encode(), digest_size=16).digest()


def _packed(known: Known) -> tuple[bytes, int]:
    """The fingerprint in 16 bytes, and the flags."""
    flags = _USED | _SUCCEEDED * known.succeeded | _RETRYABLE * known.retryable
    try:
        fingerprint = bytes.fromhex(known.fingerprint)
    except ValueError:
        fingerprint = b""
    if len(fingerprint) == 16 and fingerprint.hex() == known.fingerprint:
        return fingerprint, flags
    return bytes(16), flags | _STRANGE
