"""Decompression of bodies with a content encoding that was not requested, in pieces of bounded size."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})

PIECE = 256 * 1024
"""Maximum bytes of one piece, so that the caller can stop at its own limit (decompression bombs)."""

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


class Inflater:
    """Decompresses bytes that are fed in pieces of any size."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_ZLIB_OR_GZIP)

    @property
    def is_whole(self) -> bool:
        """Whether the compressed data is complete."""
        return self._member.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed data in pieces. Raises ``zlib.error`` if the data is damaged."""
        while data:
            if self._member.eof:  # gzip allows several members in sequence
                self._member = zlib.decompressobj(_ZLIB_OR_GZIP)
            piece = self._member.decompress(data, PIECE)
            data = self._member.unused_data or self._member.unconsumed_tail
            if piece:
                yield piece
