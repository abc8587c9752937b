"""The streaming HTTP client: one connection pool for one endpoint.

The scheduler limits the connections; the pool has no limit. Redirects are refused, so that neither key nor
prompt leaves the origin. Data is read in bytes, never in lines.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Self

import anyio

from batch.errors import AttemptError
from batch.finish_reasons import NO_WORDS, FinishReasons
from batch.providers.aiohttp_check import connections
from batch.providers.attempt import Attempt
from batch.providers.fetch import Fetched, fetched
from batch.providers.generator_api import FinishReason
from batch.providers.read_coalescing import ReadCoalescer
from batch.providers.timeouts import Watch
from batch.records import Failure, Outcome
from batch.wire.reply_decoder import MAX_BODY, ReplyDecoder
from batch.wire.sse import MAX_EVENT
from batch.wire.text import DeltaJoiner

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping
    from types import TracebackType

    from yarl import URL

    from batch.providers.generator_api import Delta
    from batch.providers.http1 import Connections, Route
    from batch.providers.public_http import PublicConnections
    from batch.providers.timeouts import Timeouts

DNS_CACHE = 10
"""Seconds for which a resolved address is cached."""


class HttpClient:
    """The connections to one endpoint. Use as an async context manager.

    Without ``keep_alive``, each request has a connection of its own. ``max_event`` and ``max_body`` are the
    maximum sizes in bytes of one decoded event and one decoded response. ``finish_reasons`` are the job's
    additions to the built-in lists.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
        keep_alive: bool = True,
        max_event: int = MAX_EVENT,
        max_body: int = MAX_BODY,
        finish_reasons: FinishReasons = NO_WORDS,
    ) -> None:
        self._timeouts = timeouts
        self._proxy = proxy
        self._keep_alive = keep_alive
        self._tls: ssl.SSLContext | bool = tls or True
        self._new_decoder = partial(
            ReplyDecoder, max_event=max_event, max_body=max_body, finish_reasons=finish_reasons
        )
        self._coalescer = ReadCoalescer()
        self._connections: Connections | PublicConnections | None = None
        self._watch: Watch | None = None

    async def __aenter__(self) -> Self:
        self._watch = Watch(asyncio.get_running_loop())
        self._connections = connections(limit=0, ttl_dns_cache=DNS_CACHE, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connections is not None:
            with anyio.CancelScope(shield=True):
                await self._connections.close()
            self._connections = None
        if self._watch is not None:
            self._watch.close()

    def route(self, url: URL, headers: Mapping[str, str]) -> Route:
        """Return the route to a URL; create it once for all requests to that URL."""
        if self._connections is None:
            raise RuntimeError("the client is not open")
        return self._connections.route(url, headers, self._proxy, keep_alive=self._keep_alive)

    async def complete(self, route: Route, body: bytes) -> Outcome:
        """POST the body and read the whole reply; every fault is an outcome."""
        coalescer = self._coalescer
        decoder = self._new_decoder(is_early=route.is_early)
        exchange = self._exchange(route, body, decoder, coalescer)
        coalescer.streams += 1
        try:
            outcome = await exchange.in_time(exchange.run)
        finally:
            coalescer.streams -= 1
            exchange.close()
            route.is_early = route.is_early or decoder.message.finish.is_early
        assert outcome is not None  # noqa: S101 - a whole run ends in an outcome
        return outcome

    async def stream(self, route: Route, body: bytes) -> AsyncGenerator[Delta, None]:
        """POST the body, yield the text as it arrives, and last a ``FinishReason``.

        Raises ``AttemptError`` if the reply is incomplete.
        """
        exchange = self._exchange(route, body, self._new_decoder(is_early=route.is_early))
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

    async def get(self, url: URL, headers: Mapping[str, str]) -> Fetched:
        """GET a small document. Raises ``AttemptError`` if there is no response."""
        if self._connections is None or self._watch is None:
            raise RuntimeError("the client is not open")
        route = self._connections.route(url, headers, self._proxy, keep_alive=False, method="GET")
        return await fetched(self._connections, route, self._timeouts, self._watch)

    def _exchange(
        self, route: Route, body: bytes, decoder: ReplyDecoder, coalescer: ReadCoalescer | None = None
    ) -> Attempt:
        if self._connections is None or self._watch is None:
            raise RuntimeError("the client is not open")
        return Attempt(self._connections, route, body, self._timeouts, decoder, self._watch, coalescer)
