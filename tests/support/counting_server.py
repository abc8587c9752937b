"""A chat server that keeps a log: when each request arrived, and when it ended or its client went away."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Self

from batch.testing import answer
from batch.testing.fault_server import _receive
from batch.testing.script import Send

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(eq=False)
class Seen:
    """One request: its prompt, and its times on the monotonic clock."""

    prompt: str
    arrived: float
    ended: float = field(default=float("inf"))


class CountingServer:
    """Answers each prompt with its echo after 50 to 250 ms, or other times. An async context manager."""

    def __init__(self, least: float = 0.05, most: float = 0.25) -> None:
        self._seconds = (least, most)
        self.url = ""
        self.log: list[Seen] = []
        self._random = Random(7)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", limit=2**20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(
            *self._connections
        )  # the end of the loop would cancel them, each with a traceback

    def recent(self, seconds: float) -> int:
        """Number of requests that are in flight, or were within the last ``seconds``."""
        now = time.monotonic()
        return sum(seen.ended > now - seconds for seen in self.log)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            while True:
                _, _, _, body = await _receive(reader)
                seen = Seen(json.loads(body)["messages"][-1]["content"], time.monotonic())
                self.log.append(seen)
                await self._answer(seen, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            del self._connections[task]
            writer.close()

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._random.uniform(*self._seconds)):
                await reader.read(1)  # nothing comes before the answer but the end
            raise ConnectionResetError
        except TimeoutError:
            for action in answer(f"echo: {seen.prompt}"):
                assert isinstance(action, Send)
                writer.write(action.data)
            await writer.drain()
        finally:
            seen.ended = time.monotonic()


def most_at_once(log: list[Seen], slack: float) -> int:
    """The most requests that were in flight together. A request counts from ``slack`` seconds on."""
    changes = sorted(
        change
        for seen in log
        if seen.ended > seen.arrived + slack
        for change in ((seen.arrived + slack, 1), (seen.ended, -1))
    )
    level = most = 0
    for _, change in changes:
        level += change
        most = max(most, level)
    return most


def exceeds(log: list[Seen], per_minute: float, slack: float) -> bool:
    """Whether more arrived in any window than a second's bucket admits in it and ``slack`` seconds."""
    rate = per_minute / 60
    times = [seen.arrived for seen in log]
    return any(
        last - first + 1 > rate + rate * (times[last] - times[first] + slack)
        for first in range(len(times))
        for last in range(first, len(times))
    )
