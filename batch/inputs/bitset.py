"""A set of places in a job, in one bit each."""

from __future__ import annotations


class Bitset:
    """Numbers from 0 on, most of them smaller than the number of members times a few."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        """Make the number a member."""
        byte = number >> 3
        if byte >= len(self._bits):
            self._bits.extend(bytes(byte + 1 - len(self._bits)))
        self._bits[byte] |= 1 << (number & 7)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        byte = number >> 3
        return byte < len(self._bits) and bool(self._bits[byte] & (1 << (number & 7)))
