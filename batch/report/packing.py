"""Packs values into compressed blocks for the page, and drops blocks if they would take too much room.

A page unpacks a block only when one of its rows is looked at. A block is JSON, compressed by zlib, in base64.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batch.codec import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 256 * 1024
"""The size in bytes at which a block is full: large enough to compress well, unpacked in milliseconds."""

STEPS = 3
"""Ranks in which the number of rows halves."""

MAX_LEVEL = 8 * STEPS
FIRST = MAX_LEVEL + 1
"""Added to the rank of a row that is kept before all others."""

_LIMITS = [int(2 ** (32 - level / STEPS)).to_bytes(4) for level in range(MAX_LEVEL, 0, -1)]
"""The lowest digests of the ranks below the highest one."""

_ZLIB_LEVEL = 4
"""Three times as fast as the default level, for 5 % more bytes."""


class Place(Struct, frozen=True, gc=False):
    """Where the page finds a value: the number of the block, and the position in it."""

    block: int
    at: int


def pack(value: Any) -> bytes:
    """Return the value as a block."""
    return _compress(encode_json(value))


def rank(request_id: str, *, is_first: bool) -> int:
    """Return the rank of a row: a fifth of the rows have rank 0, a fifth of the others rank 1, and so on.

    The texts of low ranks are dropped first. A rank depends on the id alone, so that a sample is the same in
    each report. ``is_first``: dropped only after all rows without.
    """
    digest = blake2b(request_id.encode("utf-8", "replace"), digest_size=4).digest()
    return MAX_LEVEL - bisect_left(_LIMITS, digest) + (FIRST if is_first else 0)


class _Open:
    """A block that is being filled."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: list[bytes] = []
        self.size = 0


class TextPacker:
    """Fills one block per rank at a time. Drops all blocks of the lowest rank while they exceed ``budget``.

    Memory is at most the budget, and a block for each rank.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.size = 0
        self._lowest = 0
        self._count = 0
        self._open: dict[int, _Open] = {}
        self._full: dict[int, list[tuple[int, bytes, int]]] = {}

    def add(self, rank: int, value: Any) -> Place | None:
        """Add a value. Return its place, which may be dropped later; ``None`` if it is dropped already."""
        if rank < self._lowest:
            return None
        block = self._open.get(rank)
        if block is None:
            block = self._open[rank] = _Open(self._count)
            self._count += 1
        encoded = encode_json(value)
        block.values.append(encoded)
        block.size += len(encoded)
        place = Place(block.number, len(block.values) - 1)
        if block.size >= BLOCK:
            self._close(rank)
        return place

    def shrink(self, budget: int) -> None:
        """Lower the budget, as the rest of the page grows."""
        self.budget = min(self.budget, budget)
        self._drop()

    def finish(self) -> None:
        """Close all blocks; nothing is added after that."""
        for number in sorted(self._open):
            self._close(number)

    @property
    def kept(self) -> int:
        """The number of values whose blocks are kept."""
        return sum(count for blocks in self._full.values() for _, _, count in blocks)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the blocks by number."""
        yield from sorted((number, block) for blocks in self._full.values() for number, block, _ in blocks)

    def _close(self, rank: int) -> None:
        block = self._open.pop(rank, None)
        if block is None:  # its rank was dropped
            return
        packed = _compress(b"[" + b",".join(block.values) + b"]")
        self._full.setdefault(rank, []).append((block.number, packed, len(block.values)))
        self.size += len(packed)
        self._drop()

    def _drop(self) -> None:
        while self.size > self.budget:
            rank = self._lowest
            self.size -= sum(len(block) for _, block, _ in self._full.pop(rank, ()))
            self._open.pop(rank, None)
            self._lowest += 1


def _compress(data: bytes) -> bytes:
    return b64encode(zlib.compress(data, _ZLIB_LEVEL))
