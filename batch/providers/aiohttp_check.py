"""Self-check of the installed aiohttp: whether the private parts that the fast path uses work as expected.

The check runs once per process, when the first client opens, and in memory: the fast protocol parses canned
responses on a fake transport, and the results are compared.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from batch.providers.aiohttp_transport import Body, Connector, Line
from batch.providers.http1 import Connections, Route
from batch.providers.public_http import PublicConnections

if TYPE_CHECKING:
    from collections.abc import Coroutine

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"

_CONNECT = ("self", "req", "traces", "timeout")
"""The parameters of the method that opens a connection."""

RESPONSES: tuple[tuple[bytes, ...], ...] = (
    (_HEAD + b"content-length: 5\r\n\r\nHello",),
    (_HEAD[:20], _HEAD[20:] + b"content-length: 5\r\n\r\n", b"He", b"llo"),
    (_HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n",),
    (_HEAD + b"transfer-encoding: chunked\r\n\r\n2\r", b"\nHe\r\n3\r\nl", b"lo\r\n", b"0\r\n\r\n"),
)
"""Responses in the pieces in which they arrive. The body of each is ``Hello``."""


@cache
def mismatch() -> str:
    """Return what differs from the needs of the fast path; empty if nothing does. Needs a running event loop.

    Never raises: an error here would also occur with requests.
    """
    try:
        return _mismatch()
    except Exception as error:  # noqa: BLE001 - any error means that this aiohttp is unknown
        return type(error).__name__


def notice() -> str | None:
    """Return the notice to the user if requests do not take the fast path, else ``None``."""
    if not mismatch():
        return None
    return (
        f"this version of promptjobs supports aiohttp {aiohttp.__version__} only partly: "
        "requests use its public interface, which is slower"
    )


def connections(**options: Any) -> Connections | PublicConnections:
    """Return the connections of one client, fast if this aiohttp allows it; ``options`` are a connector's."""
    return PublicConnections(**options) if mismatch() else Connections(Connector(**options))


def _mismatch() -> str:
    if tuple(inspect.signature(aiohttp.BaseConnector.connect).parameters) != _CONNECT:
        return "BaseConnector.connect"
    if not _uses_factory(aiohttp.BaseConnector) or not _uses_factory(aiohttp.TCPConnector):
        return "TCPConnector._factory"
    route = Route(URL("http://localhost/v1?a=b"), {"x": "y"})
    line, *headers = route.head().split(b"\r\n")
    if line != b"POST /v1?a=b HTTP/1.1" or not {b"Host: localhost", b"x: y"} <= set(headers):
        return "ClientRequest"
    if any(_received(pieces) != b"Hello" for pieces in RESPONSES):
        return "ResponseHandler"
    return "" if _reports_the_end() else "ResponseHandler.connection_lost"


def _uses_factory(connector: type) -> bool:
    """Whether a method of this class names the attribute that ``Connector`` sets."""
    codes = (getattr(method, "__code__", None) for method in vars(connector).values())
    return any("_factory" in code.co_names for code in codes if code is not None)


class _NoTransport(asyncio.Transport):
    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _line() -> Line:
    line = Line(asyncio.get_running_loop())
    line.connection_made(_NoTransport())
    line.set_response_params(read_until_eof=True, auto_decompress=False)
    return line


def _received(pieces: tuple[bytes, ...]) -> bytes | None:
    """Return the body of a response; ``None`` if a read was not reported or the connection is not idle."""
    reads: list[None] = []
    line = _line()
    line.follow(lambda: reads.append(None))
    for piece in pieces:
        line.data_received(piece)
    message, body = _at_once(line.read())
    is_as_expected = (message.code, message.headers["Content-Type"]) == (200, "text/plain")
    if not (is_as_expected and isinstance(body, Body) and body.is_eof() and line.is_reusable):
        return None
    return body.take() if len(reads) == len(pieces) else None


def _reports_the_end() -> bool:
    """Whether a lost connection within a body first yields the received data and then the failure."""
    line = _line()
    line.data_received(_HEAD + b"content-length: 9\r\n\r\n")
    _, body = _at_once(line.read())
    line.data_received(b"Hello")
    begun = _at_once(body.readany())
    line.connection_lost(None)
    return begun == b"Hello" and isinstance(body.exception(), aiohttp.ClientError)


def _at_once(step: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits. Raises ``RuntimeError`` if it waits."""
    try:
        step.send(None)
    except StopIteration as end:
        return end.value
    step.close()
    raise RuntimeError("the coroutine waits")
