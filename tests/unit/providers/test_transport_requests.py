"""The bytes of a request, written here, over aiohttp's connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from yarl import URL

from batch.providers.client import HttpClient
from batch.providers.http1 import Route
from batch.records import Failure, Outcome, Reply
from tests.support.raw_server import raw_server
from tests.support.transport_support import KEY, PATIENT
from tests.support.wire_support import DONE, delta, finish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("both_paths")]

BODY = delta("Hello") + finish() + DONE
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def recorder(answer: bytes = ANSWER) -> AsyncIterator[tuple[URL, list[list[bytes]]]]:
    """A server that records the requests of each connection."""
    connections: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[bytes] = []
        connections.append(requests)
        while head := await _head(reader):
            length = int(head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
            requests.append(head + await reader.readexactly(length))
            writer.write(answer)
        writer.close()

    async with raw_server(serve) as port:
        yield URL.build(scheme="http", host="127.0.0.1", port=port, path="/v1/chat"), connections


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def ask(url: URL, headers: Mapping[str, str], *bodies: bytes) -> list[Outcome]:
    """POST the bodies to one route, one after the other."""
    with anyio.fail_after(10):
        async with HttpClient(PATIENT) as client:
            route = client.route(url, headers)
            return [await client.complete(route, body) for body in bodies]


async def test_a_request_is_one_head_with_its_length_and_the_body() -> None:
    async with recorder() as (url, connections):
        headers = {"authorization": f"Bearer {KEY}", "accept-encoding": "identity", "user-agent": "us"}
        await ask(url, headers, b'{"a":1}')
    head, _, body = connections[0][0].partition(b"\r\n\r\n")
    line, *sent = head.decode().split("\r\n")
    assert line == "POST /v1/chat HTTP/1.1"
    assert sorted(sent) == [
        "Accept: */*",
        "Content-Length: 7",
        f"Host: 127.0.0.1:{url.port}",
        "accept-encoding: identity",
        f"authorization: Bearer {KEY}",
        "user-agent: us",
    ]
    assert body == b'{"a":1}'


async def test_requests_share_a_connection_and_each_has_its_own_length() -> None:
    bodies = [b"x" * length for length in (1, 1000, 0, 300_000)]
    async with recorder() as (url, connections):
        outcomes = await ask(url, {}, *bodies)
    assert all(isinstance(outcome, Reply) for outcome in outcomes)
    assert len(connections) == 1
    assert [request.partition(b"\r\n\r\n")[2] for request in connections[0]] == bodies


async def test_the_query_and_escapes_of_an_address_are_sent_as_they_stand() -> None:
    async with recorder() as (url, connections):
        await ask(URL(f"{url}/caf%C3%A9%2Fx?api-version=2&q=a%20b"), {}, b"")
    assert connections[0][0].startswith(b"POST /v1/chat/caf%C3%A9%2Fx?api-version=2&q=a%20b HTTP/1.1\r\n")


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding"])
async def test_a_header_of_the_job_cannot_change_how_the_body_is_framed(name: str) -> None:
    async with recorder() as (url, connections):
        await ask(url, {name: "chunked" if "nsfer" in name else "5"}, b"0123456789")
    head, _, body = connections[0][0].lower().partition(b"\r\n\r\n")
    assert head.count(b"content-length: ") == 1
    assert b"transfer-encoding" not in head
    assert body == b"0123456789"


@pytest.mark.parametrize("end", ["\r", "\n", "\0"])
@pytest.mark.parametrize("place", ["name", "value"])
async def test_a_header_with_a_line_end_is_refused(end: str, place: str) -> None:
    header = {f"x{end}y": "1"} if place == "name" else {"x": f"1{end}evil: 2"}
    with pytest.raises(ValueError, match="line end"):
        Route(URL("http://127.0.0.1/"), header)


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
async def test_provisional_responses_are_skipped(status: str) -> None:
    async with recorder(f"HTTP/1.1 {status}\r\n\r\n".encode() + ANSWER) as (url, _):
        outcomes = await ask(url, {}, b"", b"")
    assert [type(outcome) for outcome in outcomes] == [Reply, Reply]


async def test_an_unrequested_upgrade_is_a_failure() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    async with recorder(answer) as (url, _):
        outcome = (await ask(url, {}, b""))[0]
    assert isinstance(outcome, Failure)
    assert outcome.http_status == 101


async def test_the_key_is_in_no_repr() -> None:
    async with HttpClient(PATIENT) as client:
        route = client.route(URL("http://user:word@example.test/v1"), {"authorization": f"Bearer {KEY}"})
        assert repr(route) == "Route(http://example.test)"


async def test_a_connection_is_kept_for_its_own_origin_alone() -> None:
    async with recorder() as (one, to_one), recorder() as (other, to_other), HttpClient(PATIENT) as client:
        routes = [client.route(url, {}) for url in (one, other, one, other)]
        outcomes = [await client.complete(route, b"%d" % number) for number, route in enumerate(routes)]
    assert all(isinstance(outcome, Reply) for outcome in outcomes)
    assert [[request[-1:] for request in requests] for requests in to_one] == [[b"0", b"2"]]
    assert [[request[-1:] for request in requests] for requests in to_other] == [[b"1", b"3"]]


async def test_a_connection_that_was_answered_before_all_was_sent_serves_no_more() -> None:
    heads: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await _head(reader))
        writers.append(writer)
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")

    async with raw_server(refuse) as port:
        url = URL.build(scheme="http", host="127.0.0.1", port=port, path="/")
        outcomes = await ask(url, {}, b"x" * 50_000_000, b"y")
        for writer in writers:
            writer.close()
    assert [outcome.http_status for outcome in outcomes if isinstance(outcome, Failure)] == [413, 413]
    assert [head.partition(b"\r\n")[0] for head in heads] == [b"POST / HTTP/1.1"] * 2
