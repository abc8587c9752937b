"""The process of a worker. It executes the attempts that its driver orders, and decides nothing else.

1. It has one connection to its driver: a socket that it inherits. Keys arrive there.
2. When the connection ends, the driver has ended: the worker exits at once and sends nothing more. On Linux
   the kernel also kills it when the driver ends, even while it is stopped (``tied``).
3. It ignores the signals of a terminal, which reach the whole process group: the driver decides.
4. Its driver kills it if it does not report. So it needs no lease of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from batch import gc_tuning
from batch.executors.alarm import Alarm
from batch.executors.attempts import Attempts
from batch.executors.frames import decode_down, encode
from batch.executors.framing import Unframer, framed
from batch.executors.protocol import WorkerSide
from batch.executors.worker_setup import decode_setup
from batch.providers.endpoint_spec import open_endpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.executors.worker_setup import Setup
    from batch.protocols import Provider


def main(descriptor: int) -> None:
    """Serve the driver on an inherited socket until it ends."""
    connection = socket.socket(fileno=descriptor)
    gc_tuning.reduce_collections()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(connection))


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    if find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - not on every platform

    return uvloop.Loop


async def _serve(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        worker = Worker(loop)
        await loop.create_unix_connection(lambda: worker, sock=connection)
        setup = await worker.setup
        worker.start(setup, await open_endpoints(setup.endpoints, stack))
        await loop.create_future()


class Worker(asyncio.Protocol):
    """The connection to the driver, and the attempts in flight."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.setup: asyncio.Future[Setup] = loop.create_future()
        self._loop = loop
        self._unframer = Unframer()
        self._alarm = Alarm(self._flush, self._ring, loop.time)
        self._transport: asyncio.WriteTransport
        self._side: WorkerSide | None = None
        self._attempts = Attempts((), self._done)

    def start(self, setup: Setup, endpoints: Sequence[Provider]) -> None:
        """Report to the driver that this worker executes attempts."""
        self._side = WorkerSide(setup.epoch, setup.leases, self._loop.time())
        self._attempts = Attempts(endpoints, self._done)
        self._flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Handle what the driver sends."""
        for message in self._unframer.feed(data):
            if self._side is None:
                self.setup.set_result(decode_setup(message))  # the driver waits for the report of ``start``
            else:
                self._attempts.carry_out(self._side.receive(decode_down(message), self._loop.time()))
        self._alarm.flush_soon()

    def eof_received(self) -> None:
        """End with the driver."""
        os._exit(0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """End with the driver."""
        os._exit(0)

    def _done(self, attempt: int, outcome: bytes) -> None:
        if self._side is not None:
            self._side.done(attempt, outcome)  # ignored if the driver has abandoned the attempt
        self._alarm.flush_soon()

    def _flush(self) -> None:
        if self._side is None:
            return
        frame = self._side.frame(self._loop.time())
        if frame is not None:
            self._transport.write(framed(encode(frame)))
        self._alarm.ring_at(self._side.due)

    def _ring(self, _: float) -> None:
        self._flush()
