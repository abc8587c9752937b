"""A fast server for the soak in a separate process. One request in twenty gets a fault, of 14 kinds.

Which request meets which fault follows from a seed, the prompt and how often it has been asked, so that a
soak can be repeated. The server speaks as much HTTP as the client needs: POST, a content length, keep-alive.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from batch.testing import DONE, LAST_CHUNK, chunk, delta, event, finish, head, status
from batch.testing.script import Send
from tests.system.soak_answers import pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

BACKLOG = 1024
DEAF = 0.2
"""Seconds for which no connection is accepted, once in a while."""

_HEAD = head()
_NO_LINGER = struct.pack("ii", 1, 0)


class Soak:
    """The state that all connections share: the seed, the share of faults, and the counts."""

    def __init__(self, seed: int, share: float) -> None:
        self.faults: Counter[str] = Counter()
        self.requests = 0
        self.open = 0
        self.most_open = 0
        self._asked: Counter[str] = Counter()
        self._seed = seed
        self._per_mille = int(share * 1000)

    def fault(self, prompt: str) -> str | None:
        """The fault that the next answer to a prompt meets, if any."""
        self._asked[prompt] += 1
        self.requests += 1
        drawn = zlib.crc32(f"{self._seed} {prompt} {self._asked[prompt]}".encode())
        if drawn % 1000 >= self._per_mille:
            return None
        kinds = KINDS if self._asked[prompt] == 1 else LASTING
        kind = kinds[drawn // 1000 % len(kinds)]
        self.faults[kind] += 1
        return kind


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, soak: Soak, be_deaf: Callable[[], None]) -> None:
        self.soak = soak
        self.be_deaf = be_deaf
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.soak.open += 1
        self.soak.most_open = max(self.soak.most_open, self.soak.open)

    def connection_lost(self, exc: Exception | None) -> None:
        self.soak.open -= 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        start = self._buffer.find(b"\r\n\r\n")
        if start < 0:
            return
        fields = self._buffer[:start].lower()
        at = fields.index(b"content-length:") + 15
        length = int(fields[at : (fields + b"\r\n").index(b"\r\n", at)])
        end = start + 4 + length
        if len(self._buffer) >= end:
            body, self._buffer = self._buffer[start + 4 : end], self._buffer[end:]
            self._answer(json.loads(body)["messages"][-1]["content"])

    def _answer(self, prompt: str) -> None:
        kind = self.soak.fault(prompt)
        events = [*map(delta, pieces(prompt)), finish(), DONE]
        if kind is None:
            self.send(_HEAD + chunk(b"".join(events)) + LAST_CHUNK)
        else:
            _PLAYS[kind](self, events)

    # What a fault can do

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        self._transport.write(data)

    def half(self, events: list[bytes]) -> None:
        """Send the head and half of the events, in a chunk that is whole."""
        self.send(_HEAD + chunk(b"".join(events[: len(events) // 2])))

    def reset(self) -> None:
        """Break the connection."""
        own: socket.socket = self._transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        """Close the connection in order, once everything is sent."""
        self._transport.close()


def _status(code: int, **headers: str) -> Callable[[Peer, list[bytes]], None]:
    body = json.dumps({"error": {"message": "soaked", "type": "server_error"}}).encode()
    (action,) = status(code, body, **headers)
    assert isinstance(action, Send)
    return lambda peer, _: peer.send(action.data)


def _reset(peer: Peer, events: list[bytes]) -> None:
    peer.reset()


def _reset_in_text(peer: Peer, events: list[bytes]) -> None:
    peer.half(events)
    asyncio.get_running_loop().call_later(0.005, peer.reset)


def _cut(peer: Peer, events: list[bytes]) -> None:
    whole = _HEAD + chunk(b"".join(events))
    peer.send(whole[: len(_HEAD) + (len(whole) - len(_HEAD)) // 2])
    peer.close()


def _bad_chunk(peer: Peer, events: list[bytes]) -> None:
    peer.half(events)
    peer.send(b"no size\r\n" + events[-3] + b"\r\n")
    peer.close()


def _whole_with(extra: bytes, *, drop: int) -> Callable[[Peer, list[bytes]], None]:
    """A stream in order whose last ``drop`` events are replaced."""

    def play(peer: Peer, events: list[bytes]) -> None:
        peer.send(_HEAD + chunk(b"".join(events[:-drop]) + extra) + LAST_CHUNK)

    return play


def _empty(peer: Peer, events: list[bytes]) -> None:
    peer.send(_HEAD + chunk(finish() + DONE) + LAST_CHUNK)


def _stall(peer: Peer, events: list[bytes]) -> None:
    peer.half(events)


def _slow_connect(peer: Peer, events: list[bytes]) -> None:
    """A good answer, after which nothing connects for a while."""
    (first, *lines) = _HEAD.split(b"\r\n", 1)
    peer.send(first + b"\r\nconnection: close\r\n" + lines[0] + chunk(b"".join(events)) + LAST_CHUNK)
    peer.close()
    peer.be_deaf()


_PLAYS: dict[str, Callable[[Peer, list[bytes]], None]] = {
    "reset before the status": _reset,
    "reset in the text": _reset_in_text,
    "cut in the text": _cut,
    "429 with Retry-After": _status(429, retry_after="1"),
    "429": _status(429),
    "500": _status(500),
    "503": _status(503),
    "broken chunking": _bad_chunk,
    "finish reason that says broken off": _whole_with(finish("error") + DONE, drop=3),
    "error event": _whole_with(event({"error": {"message": "busy", "type": "overloaded_error"}}), drop=3),
    "event that is not JSON": _whole_with(b'data: {"choices": [\n\n' + finish() + DONE, drop=3),
    "empty answer": _empty,
    "silence in the text": _stall,
    "slow connect": _slow_connect,
}
KINDS = tuple(_PLAYS)
LASTING = tuple(kind for kind in KINDS if kind not in ("event that is not JSON", "empty answer"))
"""The faults that are retried more than once; the two others may only meet a first attempt."""


class SoakServer:
    """The server in its process; a context manager. ``url`` is its address."""

    def __init__(self, seed: int, share: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, seed, share), daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._process.start()
        self.url = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()

    def report(self) -> dict[str, Any]:
        """Counts so far: ``requests``, ``faults`` by kind, connections ``open`` now, and ``most_open``."""
        self._ours.send(None)
        found: dict[str, Any] = self._ours.recv()
        return found


def _main(parent: Connection, seed: int, share: float) -> None:
    import uvloop  # noqa: PLC0415

    uvloop.run(_serve(parent, Soak(seed, share)))


async def _serve(parent: Connection, soak: Soak) -> None:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listening.settimeout(0)
    accepting: set[asyncio.Task[Any]] = set()

    def accept() -> None:
        try:
            own, _ = listening.accept()
        except OSError:
            return
        own.settimeout(0)
        task = loop.create_task(loop.connect_accepted_socket(lambda: Peer(soak, be_deaf), own))
        accepting.add(task)
        task.add_done_callback(accepting.discard)

    def listen() -> None:
        loop.add_reader(listening.fileno(), accept)

    def be_deaf() -> None:
        loop.remove_reader(listening.fileno())
        loop.call_later(DEAF, listen)

    listen()
    parent.send(f"http://127.0.0.1:{listening.getsockname()[1]}")
    while True:
        await loop.run_in_executor(None, parent.recv)
        counts = {"requests": soak.requests, "faults": dict(soak.faults)}
        parent.send(counts | {"open": soak.open, "most_open": soak.most_open})
