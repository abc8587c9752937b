"""Connections and their bodies: no data is lost, and no unusable connection is pooled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from batch.providers.aiohttp_transport import LARGE_READ, Body, Connector, Line
from batch.providers.http1 import Route
from tests.support.raw_server import raw_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wire(asyncio.Transport):
    """A transport that records whether it is read, and delivers the test's data."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True
        self.is_open = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        self.is_open = False


def connected(loop: asyncio.AbstractEventLoop) -> tuple[Line, Wire]:
    """A connection that awaits an answer."""
    line, wire = Line(loop), Wire()
    line.connection_made(wire)
    line.set_response_params(read_until_eof=True, auto_decompress=False)
    return line, wire


async def head(line: Line) -> Body:
    """The body of the answer, once its head is through."""
    _, body = await line.read()
    assert isinstance(body, Body)
    return body


def framed(body: bytes, framing: str, sizes: Iterator[int]) -> bytes:
    """A response with this body; chunked, its chunks have these sizes."""
    if framing == "length":
        return HEAD + b"content-length: %d\r\n\r\n%s" % (len(body), body)
    if framing == "close":
        return HEAD + b"connection: close\r\n\r\n" + body
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces(body, sizes)]
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"


def pieces(data: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes."""
    while data:
        size = next(sizes)
        yield data[:size]
        data = data[size:]


def cycle(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@given(
    body=st.binary(min_size=1, max_size=300) | st.just(b"a\r\n\r\nb" * 20),
    framing=st.sampled_from(["length", "chunked", "close"]),
    chunks=SIZES,
    reads=SIZES | st.just([10_000]),
    followed=st.booleans(),
)
def test_a_body_arrives_completely_for_any_framing_and_split(
    body: bytes, framing: str, chunks: list[int], reads: list[int], followed: bool
) -> None:
    async def receive() -> bytes:
        line, _ = connected(asyncio.get_running_loop())
        reads_left = pieces(framed(body, framing, cycle(chunks)), cycle(reads))
        answer = asyncio.ensure_future(head(line))
        while not answer.done():
            line.data_received(next(reads_left))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        content = answer.result()
        seen = bytearray(content.take())
        if followed:
            line.follow(lambda: seen.extend(content.take()))
        for read in reads_left:
            line.data_received(read)
        if framing == "close":
            line.connection_lost(None)
        assert content.is_eof()
        while not followed and (more := await content.readany()):
            seen += more
        return bytes(seen)

    assert asyncio.run(receive()) == body


async def test_unread_data_is_buffered_and_arrives_when_it_is_read() -> None:
    line, wire = connected(asyncio.get_running_loop())
    line.data_received(HEAD + b"connection: close\r\n\r\n")
    body = await head(line)
    given = 0
    while wire.is_read:
        line.data_received(b"x" * 100_000)
        given += 100_000
        assert given < 2**20
    assert given > 2**18
    assert len(await body.readany()) == given
    assert wire.is_read


async def test_a_body_that_has_ended_buffers_nothing() -> None:
    line, wire = connected(asyncio.get_running_loop())
    line.data_received(framed(b"x" * 2**20, "length", cycle([1])))
    assert len((await head(line)).take()) == 2**20
    assert wire.is_read
    assert not line.should_close


async def test_a_connection_with_a_large_read_lets_the_others_go_first() -> None:
    line, wire = connected(asyncio.get_running_loop())
    line.data_received(HEAD + b"connection: close\r\n\r\n")
    body = await head(line)
    line.follow(lambda: None)
    states = []
    for size in (LARGE_READ - 1, LARGE_READ):
        line.data_received(b"x" * size)
        states.append(wire.is_read)
    await asyncio.sleep(0)
    assert [*states, wire.is_read] == [True, False, True]
    assert len(body.take()) == 2 * LARGE_READ - 1


@pytest.mark.parametrize("followed", [True, False])
async def test_data_before_a_lost_connection_is_returned_before_the_failure(followed: bool) -> None:
    line, _ = connected(asyncio.get_running_loop())
    line.data_received(HEAD + b"content-length: 10\r\n\r\nabc")
    body = await head(line)
    told: list[bytes] = []
    if followed:
        line.follow(lambda: told.append(body.take()))
    line.data_received(b"def")
    line.connection_lost(ConnectionResetError())
    assert told == ([b"abcdef", b""] if followed else [])
    assert isinstance(body.exception(), aiohttp.ClientPayloadError)
    if not followed:
        assert await body.readany() == b"abcdef"
    with pytest.raises(aiohttp.ClientPayloadError):
        await body.readany()


@pytest.mark.parametrize("surplus", [b"X", b"}\n\n", b"H", b"\r\n", HEAD])
async def test_a_body_with_excess_bytes_is_equally_complete_in_one_read_or_two(
    surplus: bytes,
) -> None:
    answer = framed(b"Hello", "length", cycle([1]))
    for cut in (0, 20, len(HEAD), len(answer) - 5, len(answer) - 1, len(answer)):
        line, _ = connected(asyncio.get_running_loop())
        for read in filter(None, [answer[:cut], answer[cut:] + surplus]):
            line.data_received(read)
        body = await head(line)
        assert body.take() == b"Hello"
        assert body.is_eof()


async def test_an_invalid_head_ends_the_connection_once() -> None:
    line, wire = connected(asyncio.get_running_loop())
    line.data_received(b"SSH-2.0-server\r\n\r\nmore")
    assert wire.is_closing()
    with pytest.raises(aiohttp.http.HttpProcessingError):
        await line.read()


@pytest.mark.parametrize("connector", [Connector, aiohttp.TCPConnector])
async def test_an_aiohttp_with_other_connections_raises_an_error(
    connector: type[aiohttp.TCPConnector],
) -> None:
    """``Connector`` sets a private attribute; the test detects if aiohttp ignores it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(HEAD + b"content-length: 0\r\n\r\n")
        writer.close()

    async with raw_server(answer) as port, connector() as pool:
        route = Route(URL.build(scheme="http", host="127.0.0.1", port=port), {})
        connection = await route.connect(pool)
        try:
            if connector is Connector:
                assert (await route.post(connection, b"")).status == 200
            else:
                with pytest.raises(TypeError, match="aiohttp"):
                    await route.post(connection, b"")
        finally:
            connection.close()
