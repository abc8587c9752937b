"""The connections to one endpoint, kept between two requests."""

from __future__ import annotations

from collections import defaultdict
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import Connection

    from batch.providers.route import Route

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
            protocol = connection.protocol
            if protocol is not None and protocol.is_connected() and monotonic() - since < KEEP:
                return connection
            connection.close()
        return None

    def give_back(self, route: Route, connection: Connection) -> None:
        """Keep the connection, if all was sent and the answer was read to its end; else close it."""
        protocol, transport = connection.protocol, connection.transport
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()  # to close is to wait until the other side has read the rest
        if protocol is None or protocol.should_close or not protocol.is_connected():
            connection.close()
        else:
            self._idle[route.origin].append((connection, monotonic()))

    async def close(self) -> None:
        """Close what is idle, and whatever else is open."""
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()
        self._idle.clear()
        await self._connector.close()
