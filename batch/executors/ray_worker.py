"""The worker of a run on Ray: an actor with one method. It decides nothing, and ends with its driver.

1. The first call asks what the worker has (``handshake``), the second is its setup. Every other is a frame.
2. Keys are in no argument of the constructor: it reads its own, or they are in its setup, in memory.
3. Its lease is its own fence: it begins nothing without one, and abandons what runs when it has ended.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from batch.executors import handshake
from batch.executors.polled_worker import PolledWorker
from batch.executors.protocol import WorkerSide
from batch.executors.sealed_endpoints import unsealed
from batch.executors.worker_setup import decode_setup
from batch.providers.endpoint_spec import open_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.protocols import Provider
    from batch.providers.endpoint_spec import EndpointSpec

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that also counts while the machine is suspended; on macOS the monotonic one does."""


def clock() -> float:
    """Return the time for leases, in seconds."""
    return time.clock_gettime(_CLOCK)


class RayWorker:
    """The actor. Ray runs its calls concurrently in one event loop."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()  # its end is that of the process
        self._sources: dict[str, str] = {}
        self._polled: PolledWorker | None = None

    async def exchange(self, message: bytes) -> bytes:
        """Handle a message of the driver and return the answer."""
        if self._polled is not None:
            return await self._polled.exchange(message)
        if handshake.is_hello(message):
            hello = handshake.decode_hello(message)
            self._sources, problems = handshake.read_sources(hello.sources)
            return handshake.encode(handshake.report(hello, self._sources, problems))
        setup = decode_setup(message)
        endpoints = await self.open_endpoints(unsealed(setup.endpoints, self._sources))
        self._polled = PolledWorker(
            WorkerSide(setup.epoch, setup.leases, self.clock()), endpoints, self.clock
        )
        return b""

    async def open_endpoints(self, specs: list[EndpointSpec]) -> Sequence[Provider]:
        """Open the endpoints that the attempts are sent to."""
        return await open_endpoints(specs, self._stack)

    def clock(self) -> float:
        """Return the time for leases."""
        return clock()
