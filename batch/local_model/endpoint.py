"""The embedded endpoint as its users see it, and the one line in which the child tells its parent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import msgspec

KEY_VARIABLE = "PROMPTJOBS_SERVE_KEY"
"""The environment variable in which a parent tells the child which key to ask for, if not a random one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running endpoint. ``base_url`` has neither a path nor a slash at its end.

    ``api_key`` is empty where none is asked for.
    ``model`` is the model that really answers, ``weights_sha256`` the hash of the file that was loaded,
    ``None`` for an engine without weights.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    engine: str
    weights_sha256: str | None


def encode_ready(endpoint: Endpoint) -> bytes:
    """The line of a child that accepts requests."""
    return msgspec.json.encode(asdict(endpoint)) + b"\n"


def encode_failed(message: str) -> bytes:
    """The line of a child that could not start, and why."""
    return msgspec.json.encode({"error": message}) + b"\n"


def decode(line: bytes) -> Endpoint | str:
    """The endpoint of a child's line, or its error message. Raises ``msgspec.DecodeError``."""
    try:
        return msgspec.json.decode(line, type=Endpoint)
    except msgspec.ValidationError:
        return msgspec.json.decode(line, type=dict[str, str])["error"]
