"""An HTTP server on loopback that plays scripts, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from batch.testing.script import Cut, Drip, Pause, Reset, Script, Send, Stall

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from batch.testing.script import Action

MAX_HEAD = 2**20
"""The maximum bytes of the head of a request."""

BACKLOG = 4096
"""Connections that may wait to be accepted."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_GONE = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True, slots=True)
class Received:
    """One received request; ``number`` counts requests, ``connection`` connections, both from 1.

    The names of ``headers`` are in lower case.
    """

    number: int
    connection: int
    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Return the chat messages, in either dialect."""
        messages = self.json["messages"]
        return list(json.loads(base64.b64decode(messages)) if isinstance(messages, str) else messages)


Chooser: TypeAlias = Callable[[Received], Script]


class FaultServer:
    """An async context manager, on asyncio. ``url`` is its address, ``requests`` what it has received.

    ``scripts`` are one function from a request to its script, or the scripts of the first request, the
    second, and so on; the last serves all later ones. ``tls`` makes it an https server. Leaving the context
    closes every connection, and raises what a function raised.
    """

    def __init__(self, *scripts: Script | Chooser, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self.connections = 0
        self.open_connections = 0
        self._choose = _chooser(scripts)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", ssl=self._tls, limit=MAX_HEAD, backlog=BACKLOG
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._errors and exc is None:
            raise self._errors[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._errors.append(error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        try:
            while True:
                parts = await _receive(reader)
                request = Received(len(self.requests) + 1, number, *parts)
                self.requests.append(request)
                if not await _play(self._choose(request), reader, writer):
                    return
        except _GONE:
            return  # nothing more to serve
        finally:
            self.open_connections -= 1
            writer.close()


def _chooser(scripts: Sequence[Script | Chooser]) -> Chooser:
    if len(scripts) == 1 and callable(scripts[0]):
        return scripts[0]
    plays = [script for script in scripts if not callable(script)]
    if not plays or len(plays) != len(scripts):
        raise TypeError("a fault server plays one function, or one script or more")
    following = itertools.chain(plays, itertools.repeat(plays[-1]))
    return lambda _: next(following)


async def _receive(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str], bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return method, target, headers, body


async def _play(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Play a script to its end; return whether the connection can be reused."""
    for action in script:
        if isinstance(action, Cut):
            return False
        if isinstance(action, Reset):
            _reset(writer)
            return False
        await _do(action, reader, writer)
    return True


async def _do(action: Action, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if isinstance(action, Send):
        await _send(action, writer)
    elif isinstance(action, Pause):
        await asyncio.sleep(action.seconds)
    elif isinstance(action, Drip):
        while True:
            await _send(Send(action.data), writer)
            await asyncio.sleep(action.every)
    elif isinstance(action, Stall):
        while await reader.read(MAX_HEAD):
            pass
        raise ConnectionResetError


async def _send(action: Send, writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        raise ConnectionResetError
    for start in range(0, len(action.data), action.step or len(action.data)):
        writer.write(action.data[start : start + (action.step or len(action.data))])
        await writer.drain()
        if action.step:
            await asyncio.sleep(0)  # lets the client read before the next write


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
