"""A small HTTP proxy that opens tunnels and records its requests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Proxy:
    """``asked`` are the heads of the CONNECT requests, ``carried`` all bytes that clients sent in tunnels."""

    target: tuple[str, int]
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)

    async def serve(self, client: anyio.abc.SocketStream) -> None:
        """One connection: whatever it asks for, the tunnel leads to ``target``."""
        async with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await client.receive()
            self.asked.append(head)
            async with await anyio.connect_tcp(*self.target) as server:
                await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pump, client, server, self.carried)
                    tasks.start_soon(self._pump, server, client, bytearray())

    async def _pump(
        self, source: anyio.abc.SocketStream, sink: anyio.abc.SocketStream, seen: bytearray
    ) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for data in source:
                seen += data
                await sink.send(data)
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await sink.send_eof()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy whose tunnels all lead to the server at this URL."""
    host, port = url.rpartition("/")[2].split(":")
    proxy = Proxy((host, int(port)))
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, proxy.serve)
        yield proxy
        await asyncio.sleep(0)
        tasks.cancel_scope.cancel()
