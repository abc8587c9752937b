"""One POST and the reading of its answer, within the limits of time.

An exchange ``begin``s, then ``advance``s read by read until it has an outcome. Both may be called in one go
or, by a generator, one at a time; ``in_time`` puts the limits around either.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import anyio
from msgspec import Struct
from msgspec.structs import replace

from batch.errors import AttemptError
from batch.providers.deadlines import Deadlines, Timeouts
from batch.providers.faults import translate
from batch.wire.failures import from_status
from batch.wire.reply import ReplyDecoder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from types import SimpleNamespace

    from yarl import URL

    from batch.records import Failure, Outcome

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error response that are read."""

DRAIN = 0.05
"""Seconds that a body may take to end after ``[DONE]``, so that its connection can be used again."""


LOOK = 1.0
"""Seconds between two looks at the limits, at the most: they also move towards now."""


class Post(Struct, frozen=True):
    """What is sent, and through which proxy. The headers hold the key: it has no ``repr``."""

    url: URL
    headers: Mapping[str, str]
    body: bytes
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Post({self.url.origin()})"


class Exchange:
    """One attempt on the wire. ``session`` gives a client session, one that never reuses if ``fresh``."""

    def __init__(
        self, session: Callable[[bool], aiohttp.ClientSession], post: Post, timeouts: Timeouts
    ) -> None:
        self._session = session
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._deadlines = Deadlines(timeouts, self._started)
        self._response: aiohttp.ClientResponse | None = None
        self._decoder = ReplyDecoder()
        self._reused = False

    @property
    def text(self) -> list[str]:
        """The pieces of text so far."""
        return self._decoder.text

    def connected(self, *, reused: bool) -> None:
        """Told by the session once the request has its connection."""
        self._reused = reused
        self._deadlines.connected(self._loop.time())

    async def run(self) -> Outcome:
        """The whole exchange in one go."""
        outcome = await self.begin()
        while outcome is None:
            outcome = await self.advance()
        return outcome

    async def begin(self) -> Outcome | None:
        """Send the request and look at the status; an outcome only where there is nothing to stream."""
        try:
            response = self._response = await self._send()
            if response.status != 200:
                return await self._refused(response)
        except (aiohttp.ClientError, OSError) as error:
            return self._broken(error)
        self._decoder = ReplyDecoder(response.headers.get("content-type", ""))
        return None

    async def advance(self) -> Outcome | None:
        """Read what has come; an outcome once the reply is whole, or can't become so any more."""
        if self._response is None:
            raise RuntimeError("the exchange has not begun")
        try:
            data = await self._response.content.readany()
            if not data:
                return self._decoder.close()
            return await self._take(data)
        except AttemptError as error:
            return error.failure
        except (aiohttp.ClientError, OSError) as error:
            return self._broken(error)

    async def in_time(self, step: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Make a step; an outcome of its own where a limit of time is over."""
        outcome: Outcome | None = None
        with anyio.CancelScope() as scope, self._alarm(scope):
            outcome = await step()
        if scope.cancelled_caught:
            outcome = self._decoder.cut(*self._deadlines.expired(self._loop.time()))
        return outcome and replace(
            outcome, first_byte=self._deadlines.first_byte, total=self._loop.time() - self._started
        )

    def close(self) -> None:
        """Give the connection back where the body was read to its end, else close it."""
        if self._response is not None:
            self._response.close()

    async def _send(self) -> aiohttp.ClientResponse:
        """Send, and once more on a fresh connection where a reused one had died before any answer."""
        try:
            return await self._post_on(self._session(False))  # noqa: FBT003
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not self._reused:
                raise
        return await self._post_on(self._session(True))  # noqa: FBT003

    async def _post_on(self, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        return await session.post(
            self._post.url,
            data=self._post.body,
            headers=self._post.headers,
            proxy=self._post.proxy,
            allow_redirects=False,
            trace_request_ctx=self,
        )

    async def _refused(self, response: aiohttp.ClientResponse) -> Failure:
        body = bytearray()
        while len(body) < MAX_ERROR_BODY and (data := await response.content.readany()):
            body += data
        return from_status(response.status, response.headers, bytes(body[:MAX_ERROR_BODY]), datetime.now(UTC))

    async def _take(self, data: bytes) -> Outcome | None:
        decoder = self._decoder
        before = decoder.deltas
        decoder.feed(data)
        if decoder.deltas != before:
            self._deadlines.said(self._loop.time())
        if decoder.done:
            await self._drain()
            return decoder.close()
        if decoder.finished:
            self._deadlines.finished(self._loop.time())
        return None

    async def _drain(self) -> None:
        """The reply is whole; if its body ends at once, the connection can serve again."""
        if self._response is None or self._response.content.at_eof():
            return
        with anyio.move_on_after(DRAIN):
            try:
                while await self._response.content.readany():
                    pass
            except aiohttp.ClientError:
                return

    def _broken(self, error: Exception) -> Outcome:
        return self._decoder.cut(*translate(error, str(self._post.url.origin())))

    @contextmanager
    def _alarm(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Cancel the scope once the current limit is over.

        The limits move with every read, the timer only when it goes off: a timer a read would cost more
        than reading.
        """
        timer: asyncio.TimerHandle | None = None

        def look() -> None:
            nonlocal timer
            if self._loop.time() >= self._deadlines.due:
                scope.cancel()
            elif self._deadlines.due < math.inf:
                timer = self._loop.call_at(min(self._deadlines.due, self._loop.time() + LOOK), look)

        look()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


def trace() -> aiohttp.TraceConfig:
    """Tells each exchange when its request has a connection, and whether it is a reused one."""

    async def created(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connected(reused=False)

    async def reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connected(reused=True)

    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(created)
    config.on_connection_reuseconn.append(reused)
    return config
