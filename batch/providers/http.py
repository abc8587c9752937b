"""The streaming HTTP client: one connection pool for one endpoint.

The scheduler bounds the connections, so the pool does not. Redirects are refused, so that neither key nor
prompt leaves the origin. Bytes are taken as they come, never as lines.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

import aiohttp
import anyio

from batch.errors import AttemptError
from batch.providers.base import FinishReason
from batch.providers.exchange import Exchange, Post
from batch.providers.flow import Connector
from batch.providers.gather import Gatherer
from batch.records import Failure, Outcome
from batch.wire.reply import MAX_BODY, ReplyDecoder
from batch.wire.sse import MAX_EVENT
from batch.wire.text import DeltaJoiner

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping
    from types import TracebackType

    from yarl import URL

    from batch.providers.base import Delta
    from batch.providers.deadlines import Timeouts

DNS_CACHE = 10
"""Seconds for which an address is remembered."""


class HttpClient:
    """The connections to one endpoint. Use as an async context manager.

    ``max_event`` and ``max_body`` are the bytes that one event and one whole response may have, decoded.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        max_event: int = MAX_EVENT,
        max_body: int = MAX_BODY,
    ) -> None:
        self._timeouts = timeouts
        self._proxy = proxy
        self._tls: ssl.SSLContext | bool = tls or True
        self._new_decoder = partial(ReplyDecoder, max_event=max_event, max_body=max_body)
        self._gatherer = Gatherer()
        self._pool: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._pool = self._open(force_close=False)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            for session in (self._pool, self._fresh):
                if session is not None:
                    await session.close()
        self._pool = self._fresh = None

    async def complete(self, url: URL, headers: Mapping[str, str], body: bytes) -> Outcome:
        """POST the body and read the whole reply; every fault is an outcome."""
        gatherer = self._gatherer
        exchange = self._exchange(url, headers, body, gatherer)
        gatherer.streams += 1
        try:
            outcome = await exchange.in_time(exchange.run)
        finally:
            gatherer.streams -= 1
            exchange.close()
        assert outcome is not None  # noqa: S101 - a whole run ends in an outcome
        return outcome

    async def stream(self, url: URL, headers: Mapping[str, str], body: bytes) -> AsyncGenerator[Delta, None]:
        """POST the body and yield the text as it comes, and last a ``FinishReason``.

        Raises ``AttemptError`` where the reply does not become whole.
        """
        exchange = self._exchange(url, headers, body)
        joiner = DeltaJoiner()
        seen = 0
        try:
            outcome = await exchange.in_time(exchange.begin)
            while outcome is None:
                outcome = await exchange.in_time(exchange.advance)
                pieces, seen = exchange.text[seen:], len(exchange.text)
                for piece in pieces:
                    if shown := joiner.feed(piece):
                        yield shown
        finally:
            exchange.close()
        if isinstance(outcome, Failure):
            raise AttemptError(outcome)
        if rest := joiner.close():
            yield rest
        yield FinishReason(outcome.finish_reason)

    def _exchange(
        self, url: URL, headers: Mapping[str, str], body: bytes, gatherer: Gatherer | None = None
    ) -> Exchange:
        post = Post(url, headers, body, self._proxy)
        return Exchange(self._session, post, self._timeouts, self._new_decoder, gatherer)

    def _session(self, fresh: bool) -> aiohttp.ClientSession:
        if self._pool is None:
            raise RuntimeError("the client is not open")
        if not fresh:
            return self._pool
        if self._fresh is None:
            self._fresh = self._open(force_close=True)
        return self._fresh

    def _open(self, *, force_close: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=Connector(limit=0, force_close=force_close, ttl_dns_cache=DNS_CACHE, ssl=self._tls),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
