"""One POST and the reading of its answer, within the limits of time.

An exchange ``begin``s, then ``advance``s read by read until it has an outcome: a generator calls them one at
a time. ``run`` does it in one go: the connection tells of each read, and the task sleeps until there is an
outcome. ``in_time`` puts the limits around either.
"""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from msgspec.structs import replace

from batch.errors import AttemptError
from batch.providers.aiohttp_transport import Body, Line
from batch.providers.timeouts import Alarm, Deadlines, Timeouts
from batch.providers.transport_errors import BROKEN, translate
from batch.records import Rate
from batch.wire.decompress import ENCODINGS, Inflater
from batch.wire.error_classification import from_status
from batch.wire.headers import rate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from batch.providers.http1 import BodyReader, Connections, Post, Response, Route
    from batch.providers.public_http import PublicConnections, PublicPost
    from batch.providers.read_coalescing import ReadCoalescer
    from batch.providers.timeouts import Watch
    from batch.records import Outcome
    from batch.wire.reply_decoder import ReplyDecoder

    NewPost = Callable[[Any, Any, Deadlines, Alarm], Post | PublicPost]
    """Makes the sender of one body from connections and a route of the same path."""

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an error response that are read."""

DRAIN = 0.05
"""Seconds that a body may take to end after ``[DONE]``, so that its connection can be used again."""

WHOLE = frozenset({200, 201, 202, 203})
"""Statuses whose body is the answer; some frameworks say 201 to every POST."""


class Attempt:
    """One attempt on the wire: a body, sent on a route through ``connections``."""

    __slots__ = (
        "_alarm",
        "_body",
        "_deadlines",
        "_decoder",
        "_deltas",
        "_gatherer",
        "_inflater",
        "_left_at",
        "_loop",
        "_origin",
        "_post",
        "_rate",
        "_rate_at",
        "_response",
        "_started",
        "_timeouts",
    )

    def __init__(
        self,
        connections: Connections | PublicConnections,
        route: Route,
        body: bytes,
        timeouts: Timeouts,
        decoder: ReplyDecoder,
        watch: Watch,
        gatherer: ReadCoalescer | None = None,
    ) -> None:
        self._origin = route.origin
        self._body = body
        self._timeouts = timeouts
        self._gatherer = gatherer
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._left_at: float | None = None
        self._deadlines = Deadlines(timeouts, self._started)
        self._alarm = Alarm(watch, self._deadlines)
        new_post: NewPost = connections.post
        self._post = new_post(connections, route, self._deadlines, self._alarm)
        self._response: Response | None = None
        self._decoder = decoder
        self._deltas = 0
        self._inflater: Inflater | None = None
        self._rate: Rate | None = None
        self._rate_at = 0.0

    @property
    def text(self) -> list[str]:
        """The pieces of text so far."""
        return self._decoder.message.text

    async def run(self) -> Outcome:
        """The whole exchange in one go."""
        outcome = await self.begin()
        if outcome is None:
            outcome = await self._follow()
        while outcome is None:
            outcome = await self.advance()
        return outcome

    async def begin(self) -> Outcome | None:
        """Send the request and look at the status; an outcome only where there is nothing to stream."""
        send = self._post.send
        while True:
            try:
                response = self._response = await send(self._body)
            except BROKEN as error:
                return self._broken(error)
            if (outcome := self._take_head(response)) is not None:
                return outcome
            if response.status in WHOLE:
                return None
            body = await self._error_body(response)
            if body or response.status != 400 or not self._post.may_be_stale:
                return from_status(response.status, response.headers, body, datetime.now(UTC))
            # So a proxy says that it does not know this connection any more; an endpoint would say why.
            self._post.abort()
            send = self._post.send_anew

    def _take_head(self, response: Response) -> Outcome | None:
        headers = response.headers
        self._rate, self._rate_at = rate(headers, datetime.now(UTC)), self._loop.time()
        self._decoder.content_type = headers.get("content-type", "")
        # without these headers the end of the body may as well be a broken connection
        self._decoder.framed = "content-length" in headers or "transfer-encoding" in headers
        encoding = headers.get("content-encoding")
        return None if encoding is None else self._decode_as(encoding.strip().lower())

    def _decode_as(self, encoding: str) -> Outcome | None:
        if encoding in ENCODINGS:
            self._inflater = Inflater()
        elif encoding not in ("", "identity"):
            return self._decoder.cut("protocol", "the body is encoded, though identity was asked for")
        return None

    async def advance(self) -> Outcome | None:
        """Read what has come; an outcome once the reply is whole, or can't become so any more."""
        if self._response is None:
            raise RuntimeError("the exchange has not begun")
        content = self._response.content
        try:
            data = await content.readany()
            return await self._take(content, data) if data else self._ended()
        except BROKEN as error:
            return self._broken(error)
        except AttemptError as error:
            return error.failure
        except zlib.error:
            return self._decoder.cut("truncated", "the compressed body is damaged")

    async def in_time(self, step: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Make a step; an outcome of its own where a limit of time is over."""
        if self._left_at is not None:
            self._deadlines.paused(self._loop.time() - self._left_at)
        self._alarm.set(self._post.hang_up)
        try:
            outcome = await step()
        finally:
            self._alarm.drop()
        self._left_at = now = self._loop.time()
        if outcome is None:
            return None
        total, announced = now - self._started, self._rate and self._announced(self._rate, now)
        first_byte, lost = self._deadlines.first_byte, self._post.lost
        return replace(outcome, first_byte=first_byte, total=total, rate=announced, lost=lost)

    def _announced(self, rate: Rate, now: float) -> Rate:
        """What the head of the answer said, as it is now."""
        return Rate(rate.remaining, max(0.0, rate.seconds - (now - self._rate_at)))

    def close(self) -> None:
        """Give the connection back where the body was read to its end, else close it."""
        self._post.close()

    async def _error_body(self, response: Response) -> bytes:
        """The body of an error; it is welcome, but not waited for."""
        body = bytearray()
        with anyio.move_on_after(self._timeouts.finish), suppress(*BROKEN, zlib.error):
            while len(body) < MAX_ERROR_BODY and (data := await response.content.readany()):
                for piece in self._plain(data):
                    body += piece[:MAX_ERROR_BODY]
                    if len(body) >= MAX_ERROR_BODY:  # a few bytes may stand for very many
                        break
        return bytes(body[:MAX_ERROR_BODY])

    async def _follow(self) -> Outcome | None:
        """Sleep while the connection tells of each read, until one brings the outcome.

        There is none yet where each read may take long to decode: then a task has to, which can be stopped.
        """
        line = None if self._post.connection is None else self._post.connection.protocol
        body = None if self._response is None else self._response.content
        if not isinstance(line, Line) or not isinstance(body, Body) or self._inflater is not None:
            return None
        outcome = self._look(body, body.take())  # what has come with the head is often all
        line.resume_reading()
        if outcome is None:
            outcome = await self._told(line, body)
        await self._drain()
        return outcome

    async def _told(self, line: Line, body: Body) -> Outcome:
        """Sleep until a read has brought the outcome."""
        whole: asyncio.Future[Outcome] = self._loop.create_future()

        def look() -> None:
            data = body.take()
            if not whole.done():
                try:
                    outcome = self._look(body, data)
                except Exception as error:  # noqa: BLE001 - for the task, not for the transport
                    whole.set_exception(error)
                else:
                    if outcome is not None:
                        whole.set_result(outcome)

        line.follow(look)
        try:
            look()
            return await whole
        finally:
            line.follow(None)

    def _look(self, body: Body, data: bytes) -> Outcome | None:
        """Take in what has come, then the end of the body or its failure."""
        try:
            if data:
                self._decoder.feed(data)
                self._decoder.message.condense()
            outcome = self._fed(body, len(data)) if data else None
        except AttemptError as error:
            return error.failure
        broken = body.exception()
        if outcome is None and broken is not None:
            if not isinstance(broken, BROKEN):
                raise broken
            return self._broken(broken)
        return self._ended() if outcome is None and body.is_eof() else outcome

    async def _take(self, body: BodyReader, data: bytes) -> Outcome | None:
        for piece in self._plain(data):
            self._decoder.feed(piece)
            if self._inflater is not None:
                await anyio.lowlevel.checkpoint()  # a few bytes may stand for very many
        outcome = self._fed(body, len(data))
        if outcome is not None:
            await self._drain()
        return outcome

    def _fed(self, body: BodyReader, read: int) -> Outcome | None:
        """A read of so many bytes is decoded: the outcome, or else when to look again."""
        decoder, now = self._decoder, self._loop.time()
        if decoder.message.deltas != self._deltas:
            self._deltas = decoder.message.deltas
            self._deadlines.said(now)
        if decoder.done:
            return decoder.close()
        if decoder.finished:
            self._deadlines.finished(now)
        elif self._gatherer is not None and not body.is_eof():
            self._rest(self._gatherer, read, now)
        self._alarm.moved()
        return None

    def _rest(self, gatherer: ReadCoalescer, read: int, now: float) -> None:
        """Perhaps read no more for a while; the next read waits until then by itself."""
        transport = None if self._post.connection is None else self._post.connection.transport
        if transport is not None:
            streaming_since = self._started + (self._deadlines.first_byte or 0)
            left = self._deadlines.due - now
            gatherer.rest(transport, read=read, age=now - streaming_since, left=left)

    def _plain(self, data: bytes) -> Iterable[bytes]:
        return [data] if self._inflater is None else self._inflater.feed(data)

    def _ended(self) -> Outcome:
        if self._alarm.has_rung:
            return self._late()
        if self._inflater is not None and not self._inflater.is_whole:
            return self._decoder.cut("truncated", "the compressed body ended early")
        return self._decoder.close()

    async def _drain(self) -> None:
        """The reply is whole; if its body ends at once, the connection can serve again."""
        content = None if self._response is None else self._response.content
        if content is None or content.is_eof() or content.exception() is not None:
            return
        with anyio.move_on_after(DRAIN), suppress(*BROKEN):
            await content.wait_eof()

    def _late(self) -> Outcome:
        return self._decoder.cut(*self._deadlines.expired(self._loop.time()))

    def _broken(self, error: Exception) -> Outcome:
        if self._alarm.has_rung:
            return self._late()
        return self._decoder.cut(*translate(error, self._origin))
