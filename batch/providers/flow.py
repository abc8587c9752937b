"""aiohttp's connector and its connections, without work that they do for nothing, and without a hang.

From 3.14 on, whoever reads a body resumes the connection once for every HTTP chunk, whether it was paused
or not, and to resume is to run the parser and to call the transport: twice the cost of an event where each
comes in a chunk of its own. These connections resume when they have been paused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    import asyncio


class Line(ResponseHandler):
    """One connection, as a protocol: it remembers whether it is paused."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._is_held = False

    def pause_reading(self) -> None:
        """Read no more until resumed."""
        self._is_held = True
        super().pause_reading()

    def resume_reading(self, *how: Any, **more: Any) -> None:
        """Read again, if that was paused."""
        if self._is_held:
            self._is_held = False
            super().resume_reading(*how, **more)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone, and so is the rest of its body: aiohttp tells its reader, but not always.

        Where chunks are framed wrongly it closes the connection, and leaves whoever reads waiting.
        """
        body = self._payload
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError())


class Connector(aiohttp.TCPConnector):
    """A connector of such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(Line, loop=self._loop))
