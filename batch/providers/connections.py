"""The connections to one endpoint, kept between two requests."""

from __future__ import annotations

from collections import defaultdict
from time import monotonic
from typing import TYPE_CHECKING

from batch.providers.aiohttp_transport import Line

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import Connection

    from batch.providers.http1 import Route

KEEP = 15.0
"""Seconds for which an unused connection is trusted to be alive."""


class Connections:
    """Opens connections through a connector, and keeps those that can serve again.

    The connector would keep them too, but looking for one there is as dear as a request: it is a coroutine,
    which must be bounded in time, only to find what is mostly at hand.
    """

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
