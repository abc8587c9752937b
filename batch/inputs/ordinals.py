"""Names for requests whose rows bring no id: the fingerprint, and an ordinal among equals."""

from __future__ import annotations

SHORT_BITS = 60
"""Digits kept of a digest: as many as fit the smallest of Python's integers of that size (32 bytes)."""


def short(hexadecimal: str) -> int:
    """The first 60 bits of a digest in hexadecimal."""
    return int(hexadecimal[: SHORT_BITS // 4], 16)


class Ordinals:
    """Counts equal fingerprints in under 100 bytes each."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated: dict[int, int] = {}

    def name(self, fingerprint: str) -> str:
        """The fingerprint for the first of its kind, with ``-2``, ``-3`` for those after it."""
        key = short(fingerprint)
        if key not in self._seen:
            self._seen.add(key)
            return fingerprint
        ordinal = self._repeated[key] = self._repeated.get(key, 1) + 1
        return f"{fingerprint}-{ordinal}"
