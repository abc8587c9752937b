"""The process of a worker. It executes the attempts that its driver orders, and decides nothing else.

1. It has one connection to its driver: a socket that it inherits. Keys arrive there.
2. When the connection ends, the driver has ended: the worker exits at once and sends nothing more. On Linux
   the kernel also kills it when the driver ends, even while it is stopped (``tied``).
3. It ignores the signals of a terminal, which reach the whole process group: the driver decides.
4. Its driver kills it if it does not report. So it needs no lease of its own.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from batch import gc_tuning
from batch.executors.frames import decode_down, encode
from batch.executors.framing import Unframer, framed
from batch.executors.payloads import decode_call, encode_outcome
from batch.executors.protocol import Begin, Leases, WorkerSide
from batch.executors.worker_setup import decode_setup
from batch.providers.endpoint_spec import EndpointOpener
from batch.scheduling.internal_errors import internal_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.executors.protocol import Step
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
        opener = EndpointOpener(stack)
        worker.start(setup, [await opener.open(spec) for spec in setup.endpoints])
        await loop.create_future()


class Worker(asyncio.Protocol):
    """The connection to the driver, and the attempts in flight."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.setup: asyncio.Future[Setup] = loop.create_future()
        self._loop = loop
        self._unframer = Unframer()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._transport: asyncio.WriteTransport
        self._side: WorkerSide | None = None
        self._endpoints: Sequence[Provider] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._will_flush = False

    def start(self, setup: Setup, endpoints: Sequence[Provider]) -> None:
        """Report to the driver that this worker executes attempts."""
        leases = Leases(lease=math.inf, grace=math.inf, beat=setup.beat)
        self._side = WorkerSide(setup.epoch, leases, self._loop.time())
        self._endpoints = endpoints
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
                self._carry_out(self._side.receive(decode_down(message), self._loop.time()))
        self._flush_soon()

    def eof_received(self) -> None:
        """End with the driver."""
        os._exit(0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """End with the driver."""
        os._exit(0)

    def _carry_out(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Begin):
                self._tasks[step.attempt] = self._loop.create_task(self._execute(step.attempt, step.payload))
            elif (task := self._tasks.get(step.attempt)) is not None:
                task.cancel()

    async def _execute(self, attempt: int, payload: bytes) -> None:
        try:
            endpoint, request = decode_call(payload)
            outcome = encode_outcome(await self._endpoints[endpoint].complete(request))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it costs its own attempt
            outcome = encode_outcome(internal_error(error))
        del self._tasks[attempt]
        if self._side is not None:
            self._side.done(attempt, outcome)  # ignored if the driver has abandoned the attempt
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Send a frame after all that happens in this round of the loop."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        if self._side is None:
            return
        now = self._loop.time()
        frame = self._side.frame(now)
        if frame is not None:
            self._transport.write(framed(encode(frame)))
        if (due := self._side.due) < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at, self._timer = due, self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._flush()
