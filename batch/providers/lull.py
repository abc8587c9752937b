"""How a connection rests: its bytes collect in the kernel, and nobody is told before there are many.

Linux can be asked to call a socket readable only from so many bytes on (or when it has ended). To pause the
transport would do for plain TCP, but a paused TLS transport goes on reading, record by record.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

FAST = 16 * 1024
"""Bytes in one read that say that a stream flows fast; with so many, a rest is over."""


def rest(transport: asyncio.ReadTransport) -> None:
    """Read no more, until woken, or (on Linux) until much has come."""
    if not _wait_for(transport, FAST):
        transport.pause_reading()


def wake(transport: asyncio.ReadTransport) -> None:
    """Read what has come."""
    if not _wait_for(transport, 1):
        transport.resume_reading()


def _wait_for(transport: asyncio.ReadTransport, size: int) -> bool:
    """Have the transport told from so many bytes on; whether that is possible here."""
    if sys.platform != "linux" or (sock := transport.get_extra_info("socket")) is None:
        return False
    with suppress(OSError):  # it is gone, and the transport will hear of that by itself
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    return True
