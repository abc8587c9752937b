"""One attempt: a POST and the reading of its response, within the timeouts.

A generator calls ``begin`` and then ``advance`` for each read, until there is an outcome. ``run`` does all of
it in one call: the connection calls back at each read, and the task sleeps until the outcome is there.
``in_time`` applies the timeouts to either way.
"""

from __future__ import annotations

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
from batch.providers.transport_errors import BROKEN, NO_HTTP, translate
from batch.records import Failure, Rate
from batch.wire.decompress import ENCODINGS, Inflater
from batch.wire.error_classification import from_status
from batch.wire.retry_headers import may_have_rate, rate

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any

    from batch.providers.http1 import BodyReader, Connections, Post, Response, Route
    from batch.providers.public_http import PublicConnections, PublicPost
    from batch.providers.read_coalescing import ReadCoalescer
    from batch.providers.timeouts import Watch
    from batch.records import Outcome
    from batch.wire.reply_decoder import ReplyDecoder

    NewPost = Callable[[Any, Any, Alarm], Post | PublicPost]
    """Makes the sender of one body from connections and a route of the same path."""

MAX_ERROR_BODY = 64 * 1024
"""Maximum number of bytes that are read of an error response."""

DRAIN = 0.05
"""Seconds to wait for the end of a body after ``[DONE]``, so that the connection can be reused."""

WHOLE = frozenset({200, 201, 202, 203})
"""Statuses whose body is the answer; some frameworks return 201 for every POST."""


class Attempt:
    """One attempt: a request body, sent on a route through ``connections``."""

    __slots__ = (
        "_alarm",
        "_body",
        "_coalescer",
        "_deadlines",
        "_decoder",
        "_deltas",
        "_inflater",
        "_left_at",
        "_loop",
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
        coalescer: ReadCoalescer | None = None,
    ) -> None:
        self._body = body
        self._timeouts = timeouts
        self._coalescer = coalescer
        self._loop = watch.loop
        self._started = self._loop.time()
        self._left_at: float | None = None
        self._deadlines = Deadlines(timeouts, self._started)
        self._alarm = Alarm(watch, self._deadlines)
        new_post: NewPost = connections.post
        self._post = new_post(connections, route, self._alarm)
        self._response: Response | None = None
        self._decoder = decoder
        self._deltas = 0
        self._inflater: Inflater | None = None
        self._rate: Rate | None = None
        self._rate_at = 0.0

    @property
    def text(self) -> list[str]:
        """The parts of the text that have arrived so far."""
        return self._decoder.message.text

    async def run(self) -> Outcome:
        """Send the request, read the whole response and return the outcome."""
        outcome = await self.begin()
        if outcome is None:
            outcome = await self._follow()
        while outcome is None:
            outcome = await self.advance()
        return outcome

    async def begin(self) -> Outcome | None:
        """Send the request and read the status; return an outcome only if there is nothing to stream."""
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
            # An empty 400 comes from a proxy that has dropped the connection; an endpoint gives a reason.
            self._post.abort()
            send = self._post.send_anew

    def _take_head(self, response: Response) -> Outcome | None:
        headers = response.headers
        if may_have_rate(headers):
            self._rate, self._rate_at = rate(headers, datetime.now(UTC)), self._loop.time()
        self._decoder.content_type = headers.get("content-type", "")
        # without these headers, the end of the body may be a lost connection
        self._decoder.framed = "content-length" in headers or "transfer-encoding" in headers
        encoding = headers.get("content-encoding")
        return None if encoding is None else self._decode_as(encoding.strip().lower())

    def _decode_as(self, encoding: str) -> Outcome | None:
        if encoding in ENCODINGS:
            self._inflater = Inflater()
        elif encoding not in ("", "identity"):
            return self._decoder.cut("protocol", "the content encoding is unsupported, and was not requested")
        return None

    async def advance(self) -> Outcome | None:
        """Read once; return the outcome if the reply is complete or has failed, else ``None``."""
        if self._response is None:
            raise RuntimeError("the attempt has not begun")
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
        """Run a step under the timeouts; return its outcome, or the failure of the timeout that expired."""
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
        """Return the rate limit of the response headers, with the seconds that remain now."""
        return Rate(rate.remaining, max(0.0, rate.seconds - (now - self._rate_at)))

    def close(self) -> None:
        """Return the connection to the pool if the body was read to its end, else close it."""
        self._post.close()

    async def _error_body(self, response: Response) -> bytes:
        """Return the body of an error, as far as it arrives within ``finish`` seconds."""
        body = bytearray()
        with anyio.move_on_after(self._timeouts.finish), suppress(*BROKEN, zlib.error):
            while len(body) < MAX_ERROR_BODY and (data := await response.content.readany()):
                for piece in self._plain(data):
                    body += piece[:MAX_ERROR_BODY]
                    if len(body) >= MAX_ERROR_BODY:  # a few compressed bytes may expand to very many
                        break
        return bytes(body[:MAX_ERROR_BODY])

    async def _follow(self) -> Outcome | None:
        """Let the connection call back at each read, and sleep until a read brings the outcome.

        Return ``None`` for a compressed body: a read may take long to decode, so a task has to do that,
        because a task can be cancelled.
        """
        line = None if self._post.connection is None else self._post.connection.protocol
        body = None if self._response is None else self._response.content
        if not isinstance(line, Line) or not isinstance(body, Body) or self._inflater is not None:
            return None
        outcome = self._look(body, body.take())  # the whole body often arrives with the headers
        line.resume_reading()
        if outcome is None:
            outcome = await self._wait_for_outcome(line, body)
        await self._drain()
        return outcome

    async def _wait_for_outcome(self, line: Line, body: Body) -> Outcome:
        """Sleep until a read brings the outcome."""
        whole: asyncio.Future[Outcome] = self._loop.create_future()

        def look() -> None:
            data = body.take()
            if not whole.done():
                try:
                    outcome = self._look(body, data)
                except Exception as error:  # noqa: BLE001 - the task handles it, not the transport
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
        """Decode the received data, then handle the end or the failure of the body."""
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
                await anyio.lowlevel.checkpoint()  # a few compressed bytes may expand to very many
        outcome = self._fed(body, len(data))
        if outcome is not None:
            await self._drain()
        return outcome

    def _fed(self, body: BodyReader, read: int) -> Outcome | None:
        """Handle a decoded read of ``read`` bytes: return the outcome, or set when to read again."""
        decoder, now = self._decoder, self._loop.time()
        if decoder.message.deltas != self._deltas:
            self._deltas = decoder.message.deltas
            self._deadlines.received(now)
        if decoder.done:
            return decoder.close()
        if decoder.finished:
            self._deadlines.finished(now)
        elif self._coalescer is not None and not body.is_eof():
            self._pause(self._coalescer, read, now)
        self._alarm.moved()
        return None

    def _pause(self, coalescer: ReadCoalescer, read: int, now: float) -> None:
        """Pause reading for a while if that saves work; the next read waits by itself."""
        transport = None if self._post.connection is None else self._post.connection.transport
        if transport is not None:
            streaming_since = self._started + (self._deadlines.first_byte or 0)
            left = self._deadlines.due - now
            coalescer.pause(transport, read=read, age=now - streaming_since, left=left)

    def _plain(self, data: bytes) -> Iterable[bytes]:
        return [data] if self._inflater is None else self._inflater.feed(data)

    def _ended(self) -> Outcome:
        if self._alarm.has_rung:
            return self._late()
        if self._inflater is not None and not self._inflater.is_whole:
            return self._decoder.cut("truncated", "the compressed body ended early")
        return self._decoder.close()

    async def _drain(self) -> None:
        """Wait shortly for the end of the body of a complete reply, so that the connection can be reused."""
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
        outcome = self._decoder.cut(*translate(error))
        if isinstance(outcome, Failure) and self._response is None:
            return replace(outcome, foreign=outcome.code in NO_HTTP)
        return outcome
