"""Requests through aiohttp's public interface alone: slower, but it works with an aiohttp that is not known.

The client takes this path where ``aiohttp_check`` finds that the fast one (``http1``) would not work. Both
have the same limits of time, proxies, TLS settings and outcomes. What differs:

- aiohttp's own pool keeps the connections. It cannot be asked whether the other side has just closed one, so
  a request on such a connection may count as lost, although the server never saw it.
- Slow streams are not coalesced, and each read wakes a task.
"""

from __future__ import annotations

import asyncio
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import aiohttp
import anyio
from aiohttp.http import HttpProcessingError
from msgspec import Struct

from batch.providers.http1 import FRAMING, KEEP, Response, Route, is_answered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from yarl import URL

    from batch.providers.timeouts import Alarm, Deadlines

T = TypeVar("T")

_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=None)
_READ_SIZE = 64 * 1024

LOOK = 0.25
"""Seconds of silence after which to look whether the connection still stands.

Where chunks are framed wrongly, aiohttp closes the connection and may leave the reader waiting.
"""


class PublicRoute(Route):
    """A route whose requests aiohttp's session writes."""

    def _prepare(self, url: URL, headers: Mapping[str, str], proxy: str | None) -> None:
        if not url.host:
            raise aiohttp.InvalidURL(url)
        sent = {name: value for name, value in headers.items() if name.lower() not in FRAMING}
        if not self.keep_alive:
            sent["Connection"] = "close"
        self.options: dict[str, Any] = {"url": url, "headers": sent, "proxy": proxy}


class PublicBody(Struct, eq=False):
    """A body whose reads end when a limit of time is over."""

    _content: aiohttp.StreamReader
    _post: PublicPost

    async def readany(self) -> bytes:
        """What has come, once something has; nothing at the end. Raises what is ``BROKEN``."""
        while True:
            with anyio.move_on_after(LOOK):
                return await self._post.bounded(self._content.readany)
            if self._post.is_gone and not self._content.is_eof():
                raise aiohttp.ClientPayloadError

    def is_eof(self) -> bool:
        """Whether the end has come."""
        return self._content.is_eof()

    def exception(self) -> BaseException | None:
        """Why the rest does not come."""
        return self._content.exception()

    async def wait_eof(self) -> None:
        """Wait for the end."""
        await self._content.wait_eof()


class PublicPost(Struct, eq=False):
    """Sends one body on a route, as ``http1.Post`` does. ``connection`` is aiohttp's own: always ``None``."""

    _connections: PublicConnections
    _route: PublicRoute
    _deadlines: Deadlines
    _alarm: Alarm
    connection: None = None
    lost: int = 0
    _response: aiohttp.ClientResponse | None = None
    _scope: anyio.CancelScope | None = None
    _is_reused: bool = False
    _is_sent: bool = False

    async def send(self, body: bytes) -> Response:
        """Send, and once more on a fresh connection where a reused one had died before any answer.

        ``lost`` counts a request that may have gone out before that. Raises what is ``BROKEN``.
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
        """Whether this is an old connection to a proxy, whose own to the endpoint may have gone."""
        return self._is_reused and self._route.is_proxied

    async def send_anew(self, body: bytes) -> Response:
        """Send on a fresh connection, which serves once."""
        return await self._send_with(self._connections.fresh, body)

    def abort(self) -> None:
        """Close the connection, whatever state it is in."""
        if self._response is not None:
            self._response.close()
            self._response = None

    @property
    def is_gone(self) -> bool:
        """Whether the connection that the answer comes on is closed."""
        connection = None if self._response is None else self._response.connection
        transport = None if connection is None else connection.transport
        return transport is None or transport.is_closing()

    def close(self) -> None:
        """Close the connection; one whose answer has ended is back in the pool already."""
        self.abort()

    def hang_up(self) -> None:
        """A limit of time is over: whatever is waited for ends now, as if the server had hung up."""
        if self._scope is not None:
            self._scope.cancel()
        else:
            self.abort()

    def connected(self, *, is_reused: bool) -> None:
        """The connection stands; the request goes out."""
        self._is_reused = is_reused
        self._deadlines.connected(asyncio.get_running_loop().time())
        self._alarm.moved()

    def sent(self) -> None:
        """The head of the request is on its way."""
        self._is_sent = True

    async def bounded(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a step. Raises ``TimeoutError`` where a limit of time is over first.

        A limit can be over in the very turn in which a step ends: then the next one is late.
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
            session.post,
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
        if self._alarm.has_rung:  # the answer began all the same, but too late
            raise TimeoutError
        return Response(response.status, response.headers, PublicBody(response.content, self))


class PublicConnections:
    """Two of aiohttp's sessions: one keeps its connections, one makes a connection for each request."""

    post: ClassVar[type[PublicPost]] = PublicPost
    route: ClassVar[type[PublicRoute]] = PublicRoute

    def __init__(self, **options: Any) -> None:
        self.keeping = _session(aiohttp.TCPConnector(keepalive_timeout=KEEP, **options))
        self.fresh = _session(aiohttp.TCPConnector(force_close=True, **options))

    async def close(self) -> None:
        """Close what is idle, and whatever else is open."""
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
    """Tells each ``PublicPost`` how far its request is."""

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
