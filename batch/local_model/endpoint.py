"""The embedded endpoint as its users see it, and the line with which the child reports to its parent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import msgspec

KEY_VARIABLE = "PROMPTJOBS_SERVE_KEY"
"""The environment variable in which the parent passes a key to the child; otherwise the key is random."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint. ``base_url`` has neither a path nor a trailing slash.

    ``api_key`` is empty if none is required. ``model`` is the model that actually answers. ``weights_sha256``
    is the hash of the loaded file, ``None`` for an engine without weights.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    engine: str
    weights_sha256: str | None


def encode_ready(endpoint: Endpoint) -> bytes:
    """Encode the line of a child that accepts requests."""
    return msgspec.json.encode(asdict(endpoint)) + b"\n"


def encode_failed(message: str) -> bytes:
    """Encode the line of a child that could not start, with the error."""
    return msgspec.json.encode({"error": message}) + b"\n"


def decode(line: bytes) -> Endpoint | str:
    """Decode the endpoint or the error message of a child's line. Raises ``msgspec.DecodeError``."""
    try:
        return msgspec.json.decode(line, type=Endpoint)
    except msgspec.ValidationError:
        return msgspec.json.decode(line, type=dict[str, str])["error"]
