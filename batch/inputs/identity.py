"""What makes a result stale: the fingerprint of all that shapes an answer."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec.json import Encoder

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
    """32 hexadecimal digits that change with the question and with nothing else.

    ``model`` is the canonical name. ``identity`` is what an embedded endpoint answers with, such as its
    engine and the hash of its weights. The host, the place in the job and the run's settings are left out.
    """
    value = (dialect, model, messages, _plain(params) if params else {}, sample, identity)
    return blake2b(_encode(value), digest_size=16).hexdigest()  # as ``digest``: this runs for every row


def _plain(value: Any) -> Any:
    """Numbers as JSON Schema has them: ``1.0`` is ``1``, however somebody has written it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def digest(value: object) -> str:
    """The same for any JSON value: BLAKE2b of its JSON with sorted keys, 16 bytes in hexadecimal."""
    return blake2b(_encode(value), digest_size=16).hexdigest()
