"""Undoing a content encoding that was never asked for, in pieces that no bomb can blow up."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})

PIECE = 256 * 1024
"""Bytes that are handed on at once: what reads them can stop at its own cap."""

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


class Inflater:
    """Fed with compressed bytes in pieces of any size."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_ZLIB_OR_GZIP)

    @property
    def is_whole(self) -> bool:
        """Whether the compressed bytes end here, as far as they know."""
        return self._member.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes stand for, piece by piece. Raises ``zlib.error`` where they are damaged."""
        while data:
            if self._member.eof:  # gzip allows one member after another
                self._member = zlib.decompressobj(_ZLIB_OR_GZIP)
            piece = self._member.decompress(data, PIECE)
            data = self._member.unused_data or self._member.unconsumed_tail
            if piece:
                yield piece
