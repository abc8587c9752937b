"""A paused connection: a few bytes stay in the kernel, many bytes or the end are reported at once."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.providers import read_coalescing
from tests.support.raw_server import raw_server
from tests.support.transport_support import TRUSTING, serving_tls

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the whole transport is paused"),
]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


class Receiver(asyncio.Protocol):
    """The data that it received, and when."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.has_ended = False
        self.changed = asyncio.Event()
        self.reads = 0

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.reads += 1
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self.changed.set()


@asynccontextmanager
async def line(
    context: ssl.SSLContext | None,
) -> AsyncIterator[tuple[asyncio.Transport, Receiver, asyncio.StreamWriter]]:
    """A connection, and the writer of its other end."""
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writers.put(writer)

    async with raw_server(accept, tls=context and serving_tls()) as port:
        transport, ear = await asyncio.get_running_loop().create_connection(
            Receiver, "127.0.0.1", port, ssl=context
        )
        writer = await writers.get()
        with anyio.fail_after(20):
            yield transport, ear, writer
        transport.close()
        writer.close()


TRANSPORTS = pytest.mark.parametrize("context", [None, TRUSTING], ids=["plain", "tls"])


@TRANSPORTS
async def test_a_few_bytes_wait_until_the_connection_is_woken(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer), line(context) as (_, other, to_other):
        read_coalescing.pause(transport)
        for _ in range(20):
            writer.write(b"word ")
            other.changed.clear()
            to_other.write(b"word ")  # what is sent later, and arrives
            await other.changed.wait()
        assert ear.reads == 0
        read_coalescing.wake(transport)
        while len(ear.heard) < 100:
            ear.changed.clear()
            await ear.changed.wait()
        assert bytes(ear.heard) == b"word " * 20
        ear.changed.clear()
        writer.write(b"more")
        await ear.changed.wait()
        assert ear.heard.endswith(b"more")


@TRANSPORTS
async def test_many_bytes_are_reported_at_once(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.write(b"x" * 2 * read_coalescing.FAST_READ)
        await ear.changed.wait()
        assert len(ear.heard) >= read_coalescing.FAST_READ - 1024


@TRANSPORTS
async def test_the_end_is_reported_with_the_data_before_it(context: ssl.SSLContext | None) -> None:
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.write(b"last")
        writer.close()
        if context is not None:
            read_coalescing.wake(
                transport
            )  # TLS says goodbye in a record, which is little, and waits like any other
        while not ear.has_ended:
            ear.changed.clear()
            await ear.changed.wait()
        assert bytes(ear.heard) == b"last"


@TRANSPORTS
async def test_a_connection_that_has_gone_says_so(context: ssl.SSLContext | None) -> None:
    """The coalescer checks a transport before it wakes it: its descriptor may have been reused."""
    async with line(context) as (transport, ear, writer):
        read_coalescing.pause(transport)
        writer.transport.abort()
        while not ear.has_ended:
            ear.changed.clear()
            await ear.changed.wait()
        assert transport.is_closing()
