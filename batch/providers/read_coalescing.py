"""Read coalescing for slow streams: read a few times a second (SO_RCVLOWAT), not once per token.

A batch has no live reader, so a transport may pause while bytes collect in the kernel; one read then replaces
many. Most of the cost of a slow stream is the wake-ups, and this saves nearly all of them.

A stream is paused for as long as it has been streaming, up to ``MAX_FIRST_PAUSE``, and later for a quarter of
that, up to ``MAX_PAUSE``: this is the maximum delay of an answer. It is also paused for at most a quarter of
the time to its deadline, so data that arrives in time is read in time. Fast streams are not paused, and no
stream is while only a few are open. All paused streams share one ticker, which stops when no stream is
paused.

Linux can report a socket as readable only from a number of bytes on (or at its end). Pausing the transport
works for plain TCP, but a paused TLS transport continues to read, record by record.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from contextlib import suppress

FAST_READ = 16 * 1024
"""Bytes in one read that show a fast stream; so many received bytes also end a pause."""


def pause(transport: asyncio.ReadTransport) -> None:
    """Pause reading until woken, or (on Linux) until many bytes have arrived."""
    if not _wait_for(transport, FAST_READ):
        transport.pause_reading()


def wake(transport: asyncio.ReadTransport) -> None:
    """Resume reading."""
    if not _wait_for(transport, 1):
        transport.resume_reading()


def _wait_for(transport: asyncio.ReadTransport, size: int) -> bool:
    """Set the low-water mark of the socket in bytes; return whether this platform supports it."""
    if sys.platform != "linux" or (sock := transport.get_extra_info("socket")) is None:
        return False
    with suppress(OSError):  # the connection is lost, which the transport notices itself
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    return True


TICK = 0.05
"""Seconds between two checks of the paused streams."""

MAX_FIRST_PAUSE = 0.1
"""Maximum pause of a new stream, in seconds."""

MAX_PAUSE = 0.35
"""Maximum pause of a stream, in seconds."""

MIN_STREAMS = 8
"""Number of open streams below which coalescing is not worthwhile."""


def pause_length(age: float, left: float) -> float:
    """Return the pause of a stream of ``age`` seconds whose deadline is in ``left`` seconds."""
    return min(max(min(age, MAX_FIRST_PAUSE), min(age / 4, MAX_PAUSE)), left / 4)


class ReadCoalescer:
    """Pauses the streams of one endpoint between two reads. ``streams`` is the number of open streams."""

    def __init__(self) -> None:
        self.streams = 0
        self._rounds: deque[list[asyncio.ReadTransport]] = deque([] for _ in range(round(MAX_PAUSE / TICK)))
        self._paused = 0

    def pause(self, transport: asyncio.ReadTransport, *, read: int, age: float, left: float) -> None:
        """Pause a stream whose last read brought ``read`` bytes, if that is worthwhile.

        ``age``: seconds since its start; ``left``: seconds until its deadline.
        """
        if self.streams < MIN_STREAMS or read >= FAST_READ:
            return
        ticks = int(pause_length(age, left) / TICK)
        if ticks > 0 and not transport.is_closing():
            pause(transport)
            self._rounds[ticks - 1].append(transport)
            self._paused += 1
            if self._paused == 1:
                asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        paused = self._rounds.popleft()
        self._rounds.append([])
        self._paused -= len(paused)
        if self._paused:
            asyncio.get_running_loop().call_later(TICK, self._tick)
        for transport in paused:
            if not transport.is_closing():
                wake(transport)
