"""The sending of one POST: a connection for it, kept or new, until the head of the answer is here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import anyio
from msgspec import Struct

from batch.providers.http1 import NothingSentError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from batch.providers.connections import Connections
    from batch.providers.deadlines import Deadlines
    from batch.providers.http1 import Response, Route
    from batch.providers.timeouts import Alarm


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
                if self._alarm.has_rung or _is_answered(error):
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


def _is_answered(error: Exception) -> bool:
    """Whether an answer had begun when the connection went away."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
