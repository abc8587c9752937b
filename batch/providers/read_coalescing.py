"""Coalesce the reads of a stream that trickles: look a few times a second (SO_RCVLOWAT), not once a token.

Nobody here reads along, so a transport may rest while bytes collect in the kernel; one read then takes
what many would have. Most of what a slow stream costs is the waking up, and this saves nearly all of that.

A stream rests for as long as it has been streaming, up to ``SHORT``, and later for a quarter of that, up to
``LONGEST``: by so much, at the most, an answer is known later. And it rests for at most a quarter of what
its deadline leaves: what had come in time is seen in time. Streams that flow fast do not rest, and none
does where only a few are open. All resting streams share one ticker, which stops where none rests.

Linux can be asked to call a socket readable only from so many bytes on (or when it has ended). To pause the
transport would do for plain TCP, but a paused TLS transport goes on reading, record by record.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from contextlib import suppress

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


TICK = 0.05
"""Seconds between two looks at who has rested long enough."""

SHORT = 0.1
"""Seconds that a stream rests, at the most, in its first moments."""

LONGEST = 0.35
"""Seconds that a stream rests, at the most."""

FEW = 8
"""Open streams below which it is not worth while."""


def how_long(age: float, left: float) -> float:
    """Seconds for which a stream may rest that has been streaming for ``age`` and must end in ``left``."""
    return min(max(min(age, SHORT), min(age / 4, LONGEST)), left / 4)


class ReadCoalescer:
    """Lets the streams of one endpoint rest between two reads. ``streams`` says how many are open."""

    def __init__(self) -> None:
        self.streams = 0
        self._rounds: deque[list[asyncio.ReadTransport]] = deque([] for _ in range(round(LONGEST / TICK)))
        self._resting = 0

    def rest(self, transport: asyncio.ReadTransport, *, read: int, age: float, left: float) -> None:
        """Perhaps let a stream rest whose last read brought ``read`` bytes.

        ``age``: seconds for which it has been streaming; ``left``: seconds until its deadline.
        """
        if self.streams < FEW or read >= FAST:
            return
        ticks = int(how_long(age, left) / TICK)
        if ticks > 0 and not transport.is_closing():
            rest(transport)
            self._rounds[ticks - 1].append(transport)
            self._resting += 1
            if self._resting == 1:
                asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        rested = self._rounds.popleft()
        self._rounds.append([])
        self._resting -= len(rested)
        if self._resting:
            asyncio.get_running_loop().call_later(TICK, self._tick)
        for transport in rested:
            if not transport.is_closing():
                wake(transport)
