"""The first message to a worker: everything that it has to know before it executes attempts."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from batch.executors.frames import VERSION, VersionError
from batch.executors.protocol import Leases  # noqa: TC001 - msgspec reads it
from batch.providers.endpoint_spec import EndpointSpec  # noqa: TC001 - msgspec reads it


class Setup(Struct, frozen=True, array_like=True):
    """The worker's epoch, its endpoints by number, and the times of its side of the exchange."""

    epoch: int
    endpoints: list[EndpointSpec]
    leases: Leases


_decoder = msgspec.msgpack.Decoder(Setup)


def encode_setup(setup: Setup) -> bytes:
    """Return the message."""
    return bytes((VERSION,)) + msgspec.msgpack.encode(setup)


def decode_setup(data: bytes) -> Setup:
    """Return the setup. Raises ``VersionError`` and ``msgspec.DecodeError``."""
    if data[:1] != bytes((VERSION,)):
        raise VersionError(f"the driver has version {data[0] if data else None}, not {VERSION}")
    return _decoder.decode(memoryview(data)[1:])
