"""HTTP/1.1 on kept connections: one address with its headers, a POST to it, and the head of the answer.

aiohttp makes the connections, pools, secures and proxies them, and parses what comes back. The request is
written here: all requests to an address have one head, and aiohttp's session, which builds each anew, takes
four times as long over a short exchange as the rest of it does.
"""

from __future__ import annotations

import asyncio
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
    from collections.abc import Mapping

    from aiohttp.connector import Connection

    from batch.providers.timeouts import Alarm, Deadlines

_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=None)
FRAMING = ("content-length", "transfer-encoding")
"""Headers that say where a body ends; those of a job do not count."""


class NothingSentError(aiohttp.ServerDisconnectedError):
    """The connection had died before any byte of the request went out."""


class BodyReader(Protocol):
    """What both paths read a body with: aiohttp's own reader, or one around it."""

    async def readany(self) -> bytes:
        """What has come, once something has; nothing at the end."""

    def is_eof(self) -> bool:
        """Whether the end has come."""

    def exception(self) -> BaseException | None:
        """Why the rest does not come."""

    async def wait_eof(self) -> None:
        """Wait for the end."""


class Response(Struct, frozen=True):
    """The head of an answer, and its body as ``content``."""

    status: int
    headers: Mapping[str, str]
    content: BodyReader


class Route:
    """Where POSTs go, with which headers (a key may be among them: it has no ``repr``), through which proxy.

    Without ``keep_alive`` the server is told that the connection serves once.
    ``secrets`` are the passwords in the addresses, in the form in which they are sent. ``is_early`` is set
    once this endpoint has gone on with an answer after a finish reason.
    To be made where an event loop runs. Raises ``ValueError`` where a header would end its line.
    """

    def __init__(
        self, url: URL, headers: Mapping[str, str], proxy: str | None = None, *, keep_alive: bool = True
    ) -> None:
        if any(end in part for header in headers.items() for part in header for end in "\r\n\0"):
            raise ValueError("a header must be one line")
        self.origin = str(url.origin())
        self.keep_alive = keep_alive
        self.is_proxied = proxy is not None
        self.secrets = tuple(_basic(address) for address in (url, URL(proxy or "")) if address.password)
        self.is_early = False
        self._prepare(url, headers, proxy)

    def _prepare(self, url: URL, headers: Mapping[str, str], proxy: str | None) -> None:
        # What a connection is asked for with. A proxy's credentials are among its headers from then on.
        self._pattern = aiohttp.ClientRequest(
            "POST", url, headers=headers, proxy=URL(proxy) if proxy else None
        )
        self._head = b""

    def __repr__(self) -> str:
        return f"Route({self.origin})"

    async def connect(self, connector: aiohttp.BaseConnector) -> Connection:
        """A new connection to POST on. Raises what ``faults.BROKEN`` names."""
        return await connector.connect(self._pattern, [], _PATIENT)

    async def post(self, connection: Connection, body: bytes) -> Response:
        """Send a body; returns once the head of the answer is here.

        Raises what ``faults.BROKEN`` names.
        """
        protocol, transport = _ends(connection)
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        transport.write(b"%s%d\r\n\r\n%s" % (self._head or self.head(), len(body), body))
        if transport.is_closing():  # the system has refused the very first bytes
            raise NothingSentError
        while True:
            message, content = await protocol.read()
            if message.code >= 200 or message.code == 101:
                return Response(message.code, message.headers, content)

    def head(self) -> bytes:
        """All of a request up to the number of the body's bytes."""
        request = self._pattern
        is_forwarded = request.proxy is not None and not request.is_ssl()
        target = str(request.url) if is_forwarded else request.url.raw_path_qs
        lines = [f"POST {target} HTTP/1.1"]
        lines += [
            f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in FRAMING
        ]
        if not self.keep_alive:
            lines.append("Connection: close")
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        return self._head


def _basic(url: URL) -> str:
    """The name and password of an address, as a header has them, in which nobody would know them again."""
    return b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()


def _ends(connection: Connection) -> tuple[Line, asyncio.Transport]:
    """The protocol and the transport. Raises ``NothingSentError`` where they have gone meanwhile.

    Raises ``TypeError`` where aiohttp has made another kind of connection than ``flow.Connector`` bids it to.
    """
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise NothingSentError
    if not isinstance(protocol, Line):
        raise TypeError(f"connections can't be made as they must be with aiohttp {aiohttp.__version__}")
    return protocol, transport


class Post(Struct, eq=False):
    """Sends one body on a route. ``alarm`` watches the deadlines; it is for that to ``hang_up``."""

    _connections: Connections
    _route: Route
    _deadlines: Deadlines
    _alarm: Alarm
    connection: Connection | None = None
    lost: int = 0
    _connecting: anyio.CancelScope | None = None
    _is_answered: bool = False
    _is_reused: bool = False

    async def send(self, body: bytes) -> Response:
        """Send, and once more on a fresh connection where a reused one had died before any answer.

        ``lost`` counts a request that went out before that: the server may have processed it. A server that
        closes an idle connection and one that dies with the request look the same from here. Raises what
        ``faults.BROKEN`` names.
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
        """Whether this is an old connection to a proxy, whose own to the endpoint may have gone."""
        return self._is_reused and self._route.is_proxied

    async def send_anew(self, body: bytes) -> Response:
        """Send on a fresh connection, after the one before, if any, was closed."""
        self._is_reused = False
        return await self._send_on(await self._connect(), body)

    def abort(self) -> None:
        """Close the connection, whatever state it is in."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self._is_answered = False

    def close(self) -> None:
        """Give the connection back where the body was read to its end, else close it."""
        if self.connection is not None:
            self._connections.give_back(self._route, self.connection, is_answered=self._is_answered)
            self.connection = None

    async def _send_on(self, connection: Connection, body: bytes) -> Response:
        self.connection = connection
        self._deadlines.connected(asyncio.get_running_loop().time())
        self._alarm.moved()
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
        if self._alarm.has_rung:  # the connection came all the same, but too late
            connection.close()
            raise TimeoutError
        return connection

    def hang_up(self) -> None:
        """A limit of time is over: whatever is waited for ends now, as if the server had hung up."""
        if self._connecting is not None:
            self._connecting.cancel()
        elif self.connection is not None and self.connection.transport is not None:
            self.connection.transport.abort()


def is_answered(error: Exception) -> bool:
    """Whether an answer had begun when the connection went away."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)


KEEP = 15.0
"""Seconds for which an unused connection is trusted to be alive."""


class Connections:
    """Opens connections through a connector, and keeps those that can serve again.

    The connector would keep them too, but looking for one there is as dear as a request: it is a coroutine,
    which must be bounded in time, only to find what is mostly at hand.
    """

    post: ClassVar[type[Post]] = Post
    route: ClassVar[type[Route]] = Route

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._connector = connector
        self._idle: dict[str, list[tuple[Connection, float]]] = defaultdict(list)

    async def open(self, route: Route) -> Connection:
        """A new connection. Raises what ``faults.BROKEN`` names."""
        return await route.connect(self._connector)

    def kept(self, route: Route) -> Connection | None:
        """A connection that has served this route's origin before, the last used first."""
        idle = self._idle[route.origin]
        while idle:
            connection, since = idle.pop()
            is_fresh = monotonic() - since < KEEP
            line = connection.protocol
            if is_fresh and isinstance(line, Line) and line.is_reusable and not line.has_news():
                return connection
            connection.close()
        return None

    def give_back(self, route: Route, connection: Connection, *, is_answered: bool) -> None:
        """Keep the connection, if all was sent and the answer was read to its end; else close it.

        ``is_answered``: the head of an answer has come. Without it one may be on its way, which the next
        request on this connection would take for its own.
        """
        transport = connection.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # to close is to wait until the other side has read the rest
        line = connection.protocol
        if is_answered and route.keep_alive and isinstance(line, Line) and line.is_reusable:
            self._idle[route.origin].append((connection, monotonic()))
        else:
            connection.close()

    async def close(self) -> None:
        """Close what is idle, and whatever else is open."""
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()
        self._idle.clear()
        await self._connector.close()
