"""A connection that rests: little is left in the kernel, much or the end is told at once."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.providers import read_coalescing
from tests.support.transport_support import TRUSTING, serving_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        sys.platform != "linux", reason="elsewhere a transport is paused, and told of nothing"
    ),
]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class Ear(asyncio.Protocol):
    """What it was told, and when it was told something."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.has_ended = False
        self.told = asyncio.Event()
        self.reads = 0

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.reads += 1
        self.told.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self.told.set()


@asynccontextmanager
async def line(
    context: ssl.SSLContext | None,
) -> AsyncIterator[tuple[asyncio.Transport, Ear, asyncio.StreamWriter]]:
    """A connection, and the writer of its other end."""
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writers.put(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context and serving_tls())
    async with server:
        port = server.sockets[0].getsockname()[1]
        transport, ear = await asyncio.get_running_loop().create_connection(
            Ear, "127.0.0.1", port, ssl=context
        )
        writer = await writers.get()
        with anyio.fail_after(20):
            yield transport, ear, writer
        transport.close()
        writer.close()


TRANSPORTS = pytest.mark.parametrize("context", [None, TRUSTING], ids=["plain", "tls"])


@TRANSPORTS
async def test_little_waits_until_the_connection_is_woken(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer), line(context) as (_, other, to_other):
        read_coalescing.pause(transport)
        for _ in range(20):
            writer.write(b"word ")
            other.told.clear()
            to_other.write(b"word ")  # what is sent later, and arrives
            await other.told.wait()
        assert ear.reads == 0
        read_coalescing.wake(transport)
        while len(ear.heard) < 100:
            ear.told.clear()
            await ear.told.wait()
        assert bytes(ear.heard) == b"word " * 20
        ear.told.clear()
        writer.write(b"more")
        await ear.told.wait()
        assert ear.heard.endswith(b"more")


@TRANSPORTS
async def test_much_is_told_at_once(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.write(b"x" * 2 * read_coalescing.FAST_READ)
        await ear.told.wait()
        assert len(ear.heard) >= read_coalescing.FAST_READ - 1024


@TRANSPORTS
async def test_the_end_is_told_with_what_came_before(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.write(b"last")
        writer.close()
        if context is not None:
            read_coalescing.wake(
                transport
            )  # TLS says goodbye in a record, which is little, and waits like any other
        while not ear.has_ended:
            ear.told.clear()
            await ear.told.wait()
        assert bytes(ear.heard) == b"last"


@TRANSPORTS
async def test_a_connection_that_has_gone_says_so(context: ssl.SSLContext | None) -> None:
    """The gatherer asks before it wakes: by then the descriptor may be another connection's."""
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.transport.abort()
        while not ear.has_ended:
            ear.told.clear()
            await ear.told.wait()
        assert transport.is_closing()
