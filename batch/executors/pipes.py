"""The connection to one worker on this machine: frames over the socket of a child process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from batch.executors.alarm import Alarm
from batch.executors.frames import decode_up, encode
from batch.executors.framing import Unframer, framed
from batch.executors.protocol import CATCH_UP, DriverSide
from batch.executors.worker_setup import encode_setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.executors.protocol import Leases
    from batch.executors.worker_setup import Setup


class Pipe(asyncio.Protocol):
    """The exchange with one worker. Messages of one round of the event loop go in one frame.

    ``ready`` is whether the worker has reported; false if it ended before. ``ended``: it has closed the
    connection, or its lease has ended. ``has_settled``: it has settled an attempt. ``is_closed``: the
    connection is closed. ``settle`` is called with each attempt and its outcome.
    """

    def __init__(self, setup: Setup, leases: Leases, settle: Callable[[int, bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[bool] = self._loop.create_future()
        self.ended = asyncio.Event()
        self.has_settled = False
        self.is_closed = False
        self._side = DriverSide(setup.epoch, leases, self._loop.time())
        self._setup = setup
        self._settle = settle
        self._unframer = Unframer()
        self._transport: asyncio.WriteTransport | None = None
        self._alarm = Alarm(self._flush, self._judge, self._loop.time, CATCH_UP)

    @property
    def in_flight(self) -> int:
        """Number of attempts in flight."""
        return len(self._side.attempts)

    def issue(self, attempt: int, payload: bytes) -> None:
        """Send an attempt to the worker."""
        self._side.issue(attempt, payload, self._loop.time())
        self._alarm.flush_soon()

    def cancel(self, attempt: int) -> None:
        """Abandon an attempt."""
        self._side.cancel(attempt)
        self._alarm.flush_soon()

    def lose(self) -> list[int]:
        """Return the attempts that have no outcome. Call it once the process has ended."""
        return self._side.lose()

    def close(self) -> None:
        """Close the connection."""
        self._alarm.cancel()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the worker what it has to know."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(framed(encode_setup(self._setup)))

    def data_received(self, data: bytes) -> None:
        """Settle the attempts whose outcomes arrive."""
        if not self.ready.done():
            self.ready.set_result(True)
        for message in self._unframer.feed(data):
            self.has_settled |= self._side.settle(decode_up(message), self._loop.time(), self._settle)
        self._alarm.flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """The worker has ended."""
        if not self.ready.done():
            self.ready.set_result(False)
        self.is_closed = True
        self._side.cut()
        self.ended.set()

    def _flush(self) -> None:
        frame = self._side.frame(self._loop.time())
        if frame is not None and self._transport is not None:
            self._transport.write(framed(encode(frame)))
        self._alarm.ring_at(self._side.due)

    def _judge(self, looked_at: float) -> None:
        if self._side.judge(looked_at):
            self.ended.set()
        else:
            self._flush()
