"""aiohttp's connector and connections, without redundant work and without a hang.

Since aiohttp 3.14, a body reader resumes the connection once for every HTTP chunk, paused or not. Each resume
runs the parser and calls the transport, which doubles the cost of an event that arrives in its own chunk.
These connections resume only if they have been paused. They also handle whole reads: aiohttp's own reader
updates its state three times for every HTTP chunk, and wakes a task for each read. A follower of a body is
called once per read, and no task has to wake up for it.
"""

from __future__ import annotations

import select
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
else:
    try:
        from aiohttp.client_proto import ResponseHandler
    except ImportError:  # another aiohttp version: `aiohttp_check` detects that
        ResponseHandler = object


LARGE_READ = 128 * 1024
"""Bytes in one read after which the other connections are served first."""


SMALL_RESPONSE = 16 * 1024
"""Maximum size of a whole response that aiohttp's own reader receives in one piece, in bytes."""


class Body(aiohttp.StreamReader):
    """A body that arrives read by read: call ``readany``, or follow it and call ``take``."""

    __slots__ = ()

    def feed_data(self, data: bytes, size: int = 0) -> bool:  # noqa: ARG002
        """Add a piece without its framing. The reader is notified at the end of the read."""
        self._buffer.append(data)
        return False

    def begin_http_chunk_receiving(self) -> None:
        """Ignore HTTP chunks."""

    def end_http_chunk_receiving(self) -> None:
        """Ignore HTTP chunks."""

    def arrived(self, read: int) -> bool:
        """Wake the reader after a read; return whether the buffer is full."""
        self._size += read
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return self._size > self._high_water

    async def readany(self) -> bytes:
        """Return received data, waiting for it; empty at the end. Raises a failure after all data."""
        while not (self._buffer or self._eof or self._exception):
            await self._wait("readany")
        if self._exception is not None and not self._buffer:
            raise self._exception
        data = self.take()
        self._protocol.resume_reading()
        return data

    def take(self) -> bytes:
        """Return the data received since the last call."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._size = 0
        return data


_CAN_POLL = hasattr(select, "poll")  # not on Windows


class Line(ResponseHandler):
    """One connection, as a protocol that remembers whether it is paused. ``reads`` counts its reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.reads = 0
        self._poller: select.poll | None = None  # created at the first check of an idle connection
        self._is_paused = False
        self._follower: Callable[[], None] | None = None

    @property
    def is_reusable(self) -> bool:
        """Whether the connection is open and has no unexpected data."""
        transport = self.transport
        return transport is not None and not transport.is_closing() and not self.should_close

    def is_untouched_since(self, reads: int) -> bool:
        """Whether a connection that was reusable after so many reads still is: nothing has come since."""
        transport = self.transport
        is_open = transport is not None and not transport.is_closing()
        return is_open and self.reads == reads and not self._has_unseen_input()

    def _has_unseen_input(self) -> bool:
        """Whether the peer has closed the connection or sent something that the loop has not seen yet.

        A request that is sent after that is lost, and it is unknown whether the server processed it.
        """
        if self._poller is None:
            socket = None if self.transport is None else self.transport.get_extra_info("socket")
            if socket is None or not _CAN_POLL:
                return False
            self._poller = select.poll()
            self._poller.register(socket.fileno(), select.POLLIN)
        return bool(self._poller.poll(0))

    def follow(self, follower: Callable[[], None] | None) -> None:
        """Call ``follower`` whenever body data, the end or a failure arrives. It must not raise."""
        self._follower = follower

    def feed_data(self, message: Any, size: int = 0) -> None:
        """Receive the head of a response and the reader of its body."""
        if type(message[1]) is aiohttp.StreamReader:
            message[1].__class__ = Body  # the parser creates it and accepts no other class
        super().feed_data(message, size)

    def data_received(self, data: bytes) -> None:
        """Parse the data of one read, a head separately.

        Only a whole small response is parsed in one piece, which is cheaper: if the end of a piece is invalid
        HTTP, such as an excess byte, the parsed part of the piece is lost.
        """
        self.reads += 1
        if self._payload is None or self._payload.is_eof():
            end = data.find(b"\r\n\r\n") + 4
            if 4 <= end < len(data) and (len(data) > SMALL_RESPONSE or not _is_whole(data, end)):
                super().data_received(data[:end])
                data = data[end:]
        if self._exception is None:
            super().data_received(data)
        self._received(len(data))

    def _received(self, read: int) -> None:
        if self._follower is not None:
            self._follower()
            if read >= LARGE_READ:
                self._pause()
                self._loop.call_soon(self.resume_reading)
        elif isinstance(body := self._payload, Body) and body.arrived(read) and not body.is_eof():
            self._pause()

    def _pause(self) -> None:
        self._is_paused = True
        self._pause_transport_reading()

    def pause_reading(self) -> None:
        """Pause reading until resumed."""
        self._is_paused = True
        super().pause_reading()

    def resume_reading(self, *how: Any, **more: Any) -> None:
        """Resume reading if it was paused."""
        if self._is_paused:
            self._is_paused = False
            super().resume_reading(*how, **more)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Report the lost connection to the body reader, which aiohttp does not always do.

        After invalid chunk framing, aiohttp closes the connection and leaves the reader waiting.
        """
        body = self._payload
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError())
        if self._follower is not None:
            self._follower()


def _is_whole(data: bytes, end: int) -> bool:
    """Whether the head up to ``end`` has the length of the rest, in one of the two usual spellings."""
    length = len(data) - end
    if data.find(b"\r\nContent-Length: %d\r\n" % length, 0, end) >= 0:
        return True
    return data.find(b"\r\ncontent-length: %d\r\n" % length, 0, end) >= 0


class Connector(aiohttp.TCPConnector):
    """A connector whose connections are ``Line``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(Line, loop=self._loop))
