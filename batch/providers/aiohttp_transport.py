"""aiohttp's connector and its connections, without work that they do for nothing, and without a hang.

From 3.14 on, whoever reads a body resumes the connection once for every HTTP chunk, whether it was paused
or not, and to resume is to run the parser and to call the transport: twice the cost of an event where each
comes in a chunk of its own. These connections resume when they have been paused. And they deal in reads:
aiohttp's own reader does its accounts three times for every HTTP chunk, and wakes a task for each read.
Whoever follows a body here is called once a read, and no task has to wake for it.
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
    except ImportError:  # not the aiohttp that is known: `aiohttp_check` will find that out
        ResponseHandler = object


GREEDY = 128 * 1024
"""Bytes in one read after which the other connections are looked at first."""


SMALL = 16 * 1024
"""Bytes of a head and its body that may go through aiohttp's own reader, where they are all that has come."""


class Body(aiohttp.StreamReader):
    """A body that comes read by read: to be read with ``readany``, or followed and ``take``n."""

    __slots__ = ()

    def feed_data(self, data: bytes, size: int = 0) -> bool:  # noqa: ARG002
        """A piece, out of its framing. Whoever reads is told when the read is through."""
        self._buffer.append(data)
        return False

    def begin_http_chunk_receiving(self) -> None:
        """HTTP chunks mean nothing here."""

    def end_http_chunk_receiving(self) -> None:
        """HTTP chunks mean nothing here."""

    def arrived(self, read: int) -> bool:
        """A read of so many bytes is through: wake whoever waits. Says whether that is enough for now."""
        self._size += read
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return self._size > self._high_water

    async def readany(self) -> bytes:
        """What has come, once something has; nothing at the end. Raises once what had come has been given."""
        while not (self._buffer or self._eof or self._exception):
            await self._wait("readany")
        if self._exception is not None and not self._buffer:
            raise self._exception
        data = self.take()
        self._protocol.resume_reading()
        return data

    def take(self) -> bytes:
        """What has come since the last time."""
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._size = 0
        return data


_CAN_POLL = hasattr(select, "poll")  # not on Windows


class Line(ResponseHandler):
    """One connection, as a protocol: it remembers whether it is paused."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._poller: select.poll | None = None  # made by the first look at a kept connection
        self._is_held = False
        self._follower: Callable[[], None] | None = None

    @property
    def is_reusable(self) -> bool:
        """Whether it is open, and nothing has come on it that nobody has asked for."""
        transport = self.transport
        return transport is not None and not transport.is_closing() and not self.should_close

    def has_news(self) -> bool:
        """Whether the other side has closed it, or sent something, which the loop has not seen yet.

        What is sent after that is lost, and it is not known whether the server processed it.
        """
        if self._poller is None:
            socket = None if self.transport is None else self.transport.get_extra_info("socket")
            if socket is None or not _CAN_POLL:
                return False
            self._poller = select.poll()
            self._poller.register(socket.fileno(), select.POLLIN)
        return bool(self._poller.poll(0))

    def follow(self, follower: Callable[[], None] | None) -> None:
        """Call this whenever something of the body has come, or its end or failure. It must not raise."""
        self._follower = follower

    def feed_data(self, message: Any, size: int = 0) -> None:
        """The head of a response is through, and here is the reader of its body."""
        if type(message[1]) is aiohttp.StreamReader:
            message[1].__class__ = Body  # the parser makes it, and can't be told of another
        super().feed_data(message, size)

    def data_received(self, data: bytes) -> None:
        """Parse what one read has brought, a head by itself.

        Only a whole answer that is small goes in one piece, which is cheaper: what the parser has made of a
        piece is lost where its end is not HTTP, such as a byte more than was announced.
        """
        if self._payload is None or self._payload.is_eof():
            end = data.find(b"\r\n\r\n") + 4
            whole = b"\r\ncontent-length: %d\r\n" % (len(data) - end)
            if 4 <= end < len(data) and (len(data) > SMALL or whole not in data[:end].lower()):
                super().data_received(data[:end])
                data = data[end:]
        if self._exception is None:
            super().data_received(data)
        self._received(len(data))

    def _received(self, read: int) -> None:
        if self._follower is not None:
            self._follower()
            if read >= GREEDY:
                self._hold()
                self._loop.call_soon(self.resume_reading)
        elif isinstance(body := self._payload, Body) and body.arrived(read) and not body.is_eof():
            self._hold()

    def _hold(self) -> None:
        self._is_held = True
        self._pause_transport_reading()

    def pause_reading(self) -> None:
        """Read no more until resumed."""
        self._is_held = True
        super().pause_reading()

    def resume_reading(self, *how: Any, **more: Any) -> None:
        """Read again, if that was paused."""
        if self._is_held:
            self._is_held = False
            super().resume_reading(*how, **more)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone, and so is the rest of its body: aiohttp tells its reader, but not always.

        Where chunks are framed wrongly it closes the connection, and leaves whoever reads waiting.
        """
        body = self._payload
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError())
        if self._follower is not None:
            self._follower()


class Connector(aiohttp.TCPConnector):
    """A connector of such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(Line, loop=self._loop))
