"""HTTP/1.1 on persistent connections: one URL with its headers, a POST to it, and the head of the response.

aiohttp opens, pools, secures and proxies the connections, and parses the responses. The request is written
here: all requests to a URL have the same head. aiohttp's session builds each head anew, which takes four
times as long for a short request as everything else together.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Protocol

import aiohttp
import anyio
from msgspec import Struct
from yarl import URL

from batch.providers.aiohttp_transport import Line

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiohttp.connector import Connection

    from batch.providers.timeouts import Alarm

_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=None)
FRAMING = ("content-length", "transfer-encoding")
"""Headers that define the end of a body; those of a job are ignored."""


class NothingSentError(aiohttp.ServerDisconnectedError):
    """The connection was lost before any byte of the request was sent."""


class BodyReader(Protocol):
    """The interface of a body reader: aiohttp's own reader, or a wrapper around it."""

    async def readany(self) -> bytes:
        """Return received data, waiting for it; empty at the end."""

    def is_eof(self) -> bool:
        """Whether the end has arrived."""

    def exception(self) -> BaseException | None:
        """Return the failure of the body, if there is one."""

    async def wait_eof(self) -> None:
        """Wait for the end."""


class Response(Struct, frozen=True):
    """The head of a response, and its body as ``content``."""

    status: int
    headers: Mapping[str, str]
    content: BodyReader


class Route:
    """The URL of requests, their method and headers, and the proxy. Headers may hold a key: no ``repr``.

    Without ``keep_alive``, each connection serves one request, and a header informs the server.
    ``secrets`` are the passwords in the URLs, as they are sent. ``is_early`` is set once this endpoint has
    continued an answer after a finish reason.

    Needs a running event loop. Raises ``ValueError`` if a header contains a line end.
    """

    def __init__(
        self,
        url: URL,
        headers: Mapping[str, str],
        proxy: str | None = None,
        *,
        keep_alive: bool = True,
        method: str = "POST",
    ) -> None:
        if any(end in part for header in headers.items() for part in header for end in "\r\n\0"):
            raise ValueError("a header must not contain a line end")
        self.origin = str(url.origin())
        self.keep_alive = keep_alive
        self.is_proxied = proxy is not None
        self.secrets = tuple(_basic(address) for address in (url, URL(proxy or "")) if address.password)
        self.is_early = False
        self.method = method
        self._prepare(url, headers, proxy)

    def _prepare(self, url: URL, headers: Mapping[str, str], proxy: str | None) -> None:
        # The key of a connection in the pool. It includes the credentials of a proxy.
        self._pattern = aiohttp.ClientRequest(
            self.method, url, headers=headers, proxy=URL(proxy) if proxy else None
        )
        self._head = b""

    def __repr__(self) -> str:
        return f"Route({self.origin})"

    async def connect(self, connector: aiohttp.BaseConnector) -> Connection:
        """Open a new connection. Raises the exceptions in ``transport_errors.BROKEN``."""
        return await connector.connect(self._pattern, [], _PATIENT)

    async def post(self, connection: Connection, body: bytes) -> Response:
        """Send a body; return when the head of the response has arrived.

        Raises the exceptions in ``transport_errors.BROKEN``.
        """
        protocol, transport = _protocol_and_transport(connection)
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        transport.write(b"%s%d\r\n\r\n%s" % (self._head or self.head(), len(body), body))
        if transport.is_closing():  # the system has rejected the first bytes
            raise NothingSentError
        while True:
            message, content = await protocol.read()
            if message.code >= 200 or message.code == 101:
                return Response(message.code, message.headers, content)

    def head(self) -> bytes:
        """Return the request up to the value of ``content-length``."""
        request = self._pattern
        is_forwarded = request.proxy is not None and not request.is_ssl()
        target = str(request.url) if is_forwarded else request.url.raw_path_qs
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += [
            f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in FRAMING
        ]
        if not self.keep_alive:
            lines.append("Connection: close")
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        return self._head


def _basic(url: URL) -> str:
    """Return the user name and password of a URL in the form of the header, to redact that form too."""
    return b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()


def _protocol_and_transport(connection: Connection) -> tuple[Line, asyncio.Transport]:
    """Return the protocol and the transport. Raises ``NothingSentError`` if they are gone.

    Raises ``TypeError`` if aiohttp has created another kind of connection than ``Connector`` defines.
    """
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise NothingSentError
    if not isinstance(protocol, Line):
        raise TypeError(f"aiohttp {aiohttp.__version__} creates connections of an unexpected class")
    return protocol, transport


class Post(Struct, eq=False):
    """Sends one body on a route. ``alarm`` watches the deadlines and calls ``hang_up``."""

    _connections: Connections
    _route: Route
    _alarm: Alarm
    connection: Connection | None = None
    lost: int = 0
    _connecting: anyio.CancelScope | None = None
    _is_answered: bool = False
    _is_reused: bool = False

    async def send(self, body: bytes) -> Response:
        """Send; repeat once on a new connection if a reused one was lost before any response.

        ``lost`` counts a request that was sent before that: the server may have processed it. A server that
        closes an idle connection and one that crashes on the request look the same to a client. Raises the
        exceptions in ``transport_errors.BROKEN``.
        """
        kept = self._connections.kept(self._route)
        if kept is not None:
            self._is_reused = True
            try:
                return await self._send_on(kept, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if self._alarm.has_rung or is_answered(error):
                    raise
                self.lost += not isinstance(error, NothingSentError)
                self.close()
        return await self.send_anew(body)

    @property
    def may_be_stale(self) -> bool:
        """Whether this is a reused connection to a proxy, whose connection to the endpoint may be lost."""
        return self._is_reused and self._route.is_proxied

    async def send_anew(self, body: bytes) -> Response:
        """Send on a new connection, after closing the previous one."""
        self._is_reused = False
        return await self._send_on(await self._connect(), body)

    def abort(self) -> None:
        """Close the connection in any state."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self._is_answered = False

    def close(self) -> None:
        """Return the connection to the pool if the body was read to its end, else close it."""
        if self.connection is not None:
            self._connections.release(self._route, self.connection, is_answered=self._is_answered)
            self.connection = None

    async def _send_on(self, connection: Connection, body: bytes) -> Response:
        self.connection = connection
        self._alarm.connected()
        response = await self._route.post(connection, body)
        self._is_answered = True
        return response

    async def _connect(self) -> Connection:
        connection = None
        with anyio.CancelScope() as self._connecting:
            connection = await self._connections.open(self._route)
        self._connecting = None
        if connection is None:
            raise TimeoutError
        if self._alarm.has_rung:  # the connection was opened, but too late
            connection.close()
            raise TimeoutError
        return connection

    def hang_up(self) -> None:
        """End all waiting as if the server had closed the connection: a timeout has expired."""
        if self._connecting is not None:
            self._connecting.cancel()
        elif self.connection is not None and self.connection.transport is not None:
            self.connection.transport.abort()


def is_answered(error: Exception) -> bool:
    """Whether a response had begun when the connection was lost."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


MAX_IDLE = 15.0
"""Maximum idle time of a connection in the pool, in seconds."""


class Connections:
    """Opens connections through a connector, and pools those that can be reused.

    The connector has a pool too, but getting a connection from it costs as much as a request: it is a
    coroutine with a timeout, although a connection is usually available.
    """

    post: ClassVar[type[Post]] = Post
    route: ClassVar[type[Route]] = Route

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._connector = connector
        self._idle: dict[str, list[tuple[Connection, float, int]]] = defaultdict(list)

    async def open(self, route: Route) -> Connection:
        """Open a new connection. Raises the exceptions in ``transport_errors.BROKEN``."""
        return await route.connect(self._connector)

    def kept(self, route: Route) -> Connection | None:
        """Return a pooled connection to this route's origin, the most recently used first; else ``None``."""
        idle = self._idle[route.origin]
        while idle:
            connection, since, reads = idle.pop()
            is_fresh = monotonic() - since < MAX_IDLE
            line = connection.protocol
            if is_fresh and isinstance(line, Line) and line.is_untouched_since(reads):
                return connection
            connection.close()
        return None

    def release(self, route: Route, connection: Connection, *, is_answered: bool) -> None:
        """Pool the connection if the request was sent and the response was read to its end; else close it.

        ``is_answered``: the head of a response has arrived. Without it, a late response would be taken for
        the response to the next request on this connection.
        """
        transport = connection.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # a regular close waits until the peer has read everything
        line = connection.protocol
        if is_answered and route.keep_alive and isinstance(line, Line) and line.is_reusable:
            self._idle[route.origin].append((connection, monotonic(), line.reads))
        else:
            connection.close()

    async def close(self) -> None:
        """Close all connections."""
        for idle in self._idle.values():
            for connection, *_ in idle:
                connection.close()
        self._idle.clear()
        await self._connector.close()
