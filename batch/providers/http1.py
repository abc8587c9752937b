"""One address with its headers: a POST to it, and the head of the answer.

aiohttp makes the connections, pools, secures and proxies them, and parses what comes back. The request is
written here: all requests to an address have one head, and aiohttp's session, which builds each anew, takes
four times as long over a short exchange as the rest of it does.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct
from yarl import URL

from batch.providers.aiohttp_transport import Line

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiohttp.connector import Connection

_PATIENT = aiohttp.ClientTimeout(total=None, sock_connect=None)
_FRAMING = ("content-length", "transfer-encoding")


class NothingSentError(aiohttp.ServerDisconnectedError):
    """The connection had died before any byte of the request went out."""


class Response(Struct, frozen=True):
    """The head of an answer, and its body as ``content``."""

    status: int
    headers: Mapping[str, str]
    content: aiohttp.StreamReader


class Route:
    """Where POSTs go, with which headers (a key may be among them: it has no ``repr``), through which proxy.

    Without ``keep_alive`` the server is told that the connection serves once.
    ``secrets`` are the passwords in the addresses, in the form in which they are sent. ``is_early`` is set
    once this endpoint has gone on with an answer after a finish reason.
    To be made where an event loop runs. Raises ``ValueError`` where a header would end its line.
    """

    def __init__(
        self, url: URL, headers: Mapping[str, str], proxy: str | None = None, *, keep_alive: bool = True
    ) -> None:
        if any(end in part for header in headers.items() for part in header for end in "\r\n\0"):
            raise ValueError("a header must be one line")
        self.origin = str(url.origin())
        self.keep_alive = keep_alive
        self.is_proxied = proxy is not None
        self.secrets = tuple(_basic(address) for address in (url, URL(proxy or "")) if address.password)
        # What a connection is asked for with. A proxy's credentials are among its headers from then on.
        self._pattern = aiohttp.ClientRequest(
            "POST", url, headers=headers, proxy=URL(proxy) if proxy else None
        )
        self._head = b""
        self.is_early = False

    def __repr__(self) -> str:
        return f"Route({self.origin})"

    async def connect(self, connector: aiohttp.BaseConnector) -> Connection:
        """A new connection to POST on. Raises what ``faults.BROKEN`` names."""
        return await connector.connect(self._pattern, [], _PATIENT)

    async def post(self, connection: Connection, body: bytes) -> Response:
        """Send a body; returns once the head of the answer is here.

        Raises what ``faults.BROKEN`` names.
        """
        protocol, transport = _ends(connection)
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        transport.write(b"%s%d\r\n\r\n%s" % (self._head or self._headed(), len(body), body))
        if transport.is_closing():  # the system has refused the very first bytes
            raise NothingSentError
        while True:
            message, content = await protocol.read()
            if message.code >= 200 or message.code == 101:
                return Response(message.code, message.headers, content)

    def _headed(self) -> bytes:
        """All of a request up to the number of the body's bytes."""
        request = self._pattern
        is_forwarded = request.proxy is not None and not request.is_ssl()
        target = str(request.url) if is_forwarded else request.url.raw_path_qs
        lines = [f"POST {target} HTTP/1.1"]
        lines += [
            f"{name}: {value}" for name, value in request.headers.items() if name.lower() not in _FRAMING
        ]
        if not self.keep_alive:
            lines.append("Connection: close")
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        return self._head


def _basic(url: URL) -> str:
    """The name and password of an address, as a header has them, in which nobody would know them again."""
    return b64encode(f"{url.user or ''}:{url.password or ''}".encode()).decode()


def _ends(connection: Connection) -> tuple[Line, asyncio.Transport]:
    """The protocol and the transport. Raises ``NothingSentError`` where they have gone meanwhile.

    Raises ``TypeError`` where aiohttp has made another kind of connection than ``flow.Connector`` bids it to.
    """
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise NothingSentError
    if not isinstance(protocol, Line):
        raise TypeError(f"connections can't be made as they must be with aiohttp {aiohttp.__version__}")
    return protocol, transport
