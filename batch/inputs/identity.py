"""Fingerprints: a result is stale if the fingerprint of its request has changed.

Also names for requests whose rows have no id: the fingerprint, and an ordinal among equals.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec.json import Encoder, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_encode = Encoder(order="sorted").encode


def fingerprint(
    dialect: str,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any],
    sample: int = 1,
    identity: Mapping[str, str] | None = None,
) -> str:
    """Return 32 hexadecimal digits that depend on the content of the request alone.

    ``model`` is the canonical name. ``identity`` describes what an embedded endpoint answers with, such as
    its engine and the hash of its weights. The host, the position in the job and the run's settings are not
    included.
    """
    value = (dialect, model, messages, _plain(params) if params else {}, sample, identity)
    return blake2b(_encode(value), digest_size=16).hexdigest()  # inlined `digest`: this runs for every row


def _plain(value: Any) -> Any:
    """Normalize numbers as JSON Schema does: ``1.0`` is ``1``, however it was written."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def digest(value: object) -> str:
    """Return the same for any JSON value: BLAKE2b of its JSON with sorted keys, 16 bytes in hexadecimal."""
    return blake2b(_encode(value), digest_size=16).hexdigest()


SHORT_BITS = 60
"""Bits kept of a digest: as many as fit the smallest Python integers of that size (32 bytes)."""


def short(hexadecimal: str) -> int:
    """Return the first 60 bits of a hexadecimal digest."""
    return int(hexadecimal[: SHORT_BITS // 4], 16)


class Ordinals:
    """Counts equal fingerprints in under 100 bytes each."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated: dict[int, int] = {}

    def name(self, fingerprint: str) -> str:
        """Return the fingerprint for the first of its kind, with ``-2``, ``-3`` for later ones."""
        key = short(fingerprint)
        if key not in self._seen:
            self._seen.add(key)
            return fingerprint
        ordinal = self._repeated[key] = self._repeated.get(key, 1) + 1
        return f"{fingerprint}-{ordinal}"


_MAX_PART = 60


def part(value: Any) -> str:
    """Return a value as it appears in an id: short text, numbers, true and false unchanged, else a digest."""
    text = value if isinstance(value, str) else encode(value).decode()
    reads_well = 0 < len(text) <= _MAX_PART and text.isprintable() and not isinstance(value, list | dict)
    return text if reads_well else digest(value)[:8]
