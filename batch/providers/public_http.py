"""Requests through aiohttp's public interface: slower, but it works with unknown versions of aiohttp.

The client takes this path if ``aiohttp_check`` finds that the fast one (``http1``) would not work. Both have
the same timeouts, proxies, TLS settings and outcomes. The differences are:

- aiohttp's own pool keeps the connections. It cannot report whether the peer has just closed one, so
  a request on such a connection may count as lost, although the server never received it.
- Reads of slow streams are not coalesced, and each read wakes a task.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import aiohttp
import anyio
from aiohttp.http import HttpProcessingError
from msgspec import Struct

from batch.providers.http1 import FRAMING, MAX_IDLE, Response, Route, is_answered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from yarl import URL

    from batch.providers.timeouts import Alarm

T = TypeVar("T")

_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=None)
_READ_SIZE = 64 * 1024

CHECK_INTERVAL = 0.25
"""Seconds of silence after which to check whether the connection is still open.

After invalid chunk framing, aiohttp closes the connection and may leave the reader waiting.
"""


class PublicRoute(Route):
    """A route whose requests are written by aiohttp's session."""

    def _prepare(self, url: URL, headers: Mapping[str, str], proxy: str | None) -> None:
        if not url.host:
            raise aiohttp.InvalidURL(url)
        sent = {name: value for name, value in headers.items() if name.lower() not in FRAMING}
        if not self.keep_alive:
            sent["Connection"] = "close"
        self.options: dict[str, Any] = {"url": url, "headers": sent, "proxy": proxy}


class PublicBody(Struct, eq=False):
    """A body whose reads end when a timeout expires."""

    _content: aiohttp.StreamReader
    _post: PublicPost

    async def readany(self) -> bytes:
        """Return received data, waiting for it; empty at the end. Raises the exceptions in ``BROKEN``."""
        while True:
            with anyio.move_on_after(CHECK_INTERVAL):
                return await self._post.bounded(self._content.readany)
            if self._post.is_gone and not self._content.is_eof():
                raise aiohttp.ClientPayloadError

    def is_eof(self) -> bool:
        """Whether the end has arrived."""
        return self._content.is_eof()

    def exception(self) -> BaseException | None:
        """Return the failure of the body, if there is one."""
        return self._content.exception()

    async def wait_eof(self) -> None:
        """Wait for the end."""
        await self._content.wait_eof()


class PublicPost(Struct, eq=False):
    """Sends one body on a route, as ``http1.Post`` does. ``connection`` is aiohttp's own: always ``None``."""

    _connections: PublicConnections
    _route: PublicRoute
    _alarm: Alarm
    connection: None = None
    lost: int = 0
    _response: aiohttp.ClientResponse | None = None
    _scope: anyio.CancelScope | None = None
    _is_reused: bool = False
    _is_sent: bool = False

    async def send(self, body: bytes) -> Response:
        """Send; repeat once on a new connection if a reused one was lost before any response.

        ``lost`` counts a request that may have been sent before that. Raises the exceptions in ``BROKEN``.
        """
        try:
            return await self._send_with(self._connections.keeping, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not self._is_reused or self._alarm.has_rung or is_answered(error):
                raise
            self.lost += self._is_sent
            self.abort()
        return await self.send_anew(body)

    @property
    def may_be_stale(self) -> bool:
        """Whether this is a reused connection to a proxy, whose connection to the endpoint may be lost."""
        return self._is_reused and self._route.is_proxied

    async def send_anew(self, body: bytes) -> Response:
        """Send on a new connection for this request only."""
        return await self._send_with(self._connections.fresh, body)

    def abort(self) -> None:
        """Close the connection in any state."""
        if self._response is not None:
            self._response.close()
            self._response = None

    @property
    def is_gone(self) -> bool:
        """Whether the connection of the response is closed."""
        connection = None if self._response is None else self._response.connection
        transport = None if connection is None else connection.transport
        return transport is None or transport.is_closing()

    def close(self) -> None:
        """Close the connection, unless its response has ended and it is in the pool again."""
        self.abort()

    def hang_up(self) -> None:
        """End all waiting as if the server had closed the connection: a timeout has expired."""
        if self._scope is not None:
            self._scope.cancel()
        else:
            self.abort()

    def connected(self, *, is_reused: bool) -> None:
        """Record that the connection is open and the request is sent."""
        self._is_reused = is_reused
        self._alarm.connected()

    def sent(self) -> None:
        """Record that the head of the request is sent."""
        self._is_sent = True

    async def bounded(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a step. Raises ``TimeoutError`` if a timeout expires first.

        A timeout can expire in the same loop iteration in which a step ends: then the next step is late.
        """
        if self._alarm.has_rung:
            raise TimeoutError
        try:
            with anyio.CancelScope() as self._scope:
                return await step()
        finally:
            self._scope = None
        raise TimeoutError

    async def _send_with(self, session: aiohttp.ClientSession, body: bytes) -> Response:
        self._is_reused = self._is_sent = False
        request = partial(
            session.request,
            self._route.method,
            **self._route.options,
            data=BytesIO(body),  # aiohttp warns of large bytes
            allow_redirects=False,
            trace_request_ctx=self,
        )
        try:
            self._response = response = await self.bounded(request)
        except aiohttp.ClientResponseError as error:
            if isinstance(error.__cause__, HttpProcessingError):
                raise error.__cause__ from None
            raise
        if self._alarm.has_rung:  # the response began, but too late
            raise TimeoutError
        return Response(response.status, response.headers, PublicBody(response.content, self))


class PublicConnections:
    """Two aiohttp sessions: one keeps its connections, one opens a connection for each request."""

    post: ClassVar[type[PublicPost]] = PublicPost
    route: ClassVar[type[PublicRoute]] = PublicRoute

    def __init__(self, **options: Any) -> None:
        self.keeping = _session(aiohttp.TCPConnector(keepalive_timeout=MAX_IDLE, **options))
        self.fresh = _session(aiohttp.TCPConnector(force_close=True, **options))

    async def close(self) -> None:
        """Close all connections."""
        await self.keeping.close()
        await self.fresh.close()


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("Content-Type",),
        auto_decompress=False,
        timeout=_PATIENT,
        read_bufsize=_READ_SIZE,
        trace_configs=[_tracing()],
    )


def _tracing() -> aiohttp.TraceConfig:
    """Return the trace configuration that reports the progress of a request to its ``PublicPost``."""

    async def created(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.connected(is_reused=False)

    async def reused(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.connected(is_reused=True)

    async def sent(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.sent()

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(created)
    tracing.on_connection_reuseconn.append(reused)
    tracing.on_request_headers_sent.append(sent)
    return tracing
