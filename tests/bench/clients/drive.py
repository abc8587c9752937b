"""What every client program does: ask so many times, so many at once, and compare each answer in full."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Ask: TypeAlias = Callable[[], Awaitable[str]]
    Client: TypeAlias = Callable[[str], AbstractAsyncContextManager[Ask]]

PROMPT = "Summarise in two sentences: " + "The tide turns, and the harbour fills with boats. " * 4
MESSAGES = [{"role": "user", "content": PROMPT}]


def arguments() -> argparse.ArgumentParser:
    """The command line of every client."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("requests", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("expected", type=Path)
    return parser


def run(
    client: Client,
    given: argparse.Namespace,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Drive a client and print how many answers were wrong; exits with 1 where one was."""
    expected = given.expected.read_bytes().decode()
    started = time.perf_counter()
    with asyncio.Runner(loop_factory=loop) as runner:
        wrong = runner.run(drive(client, given.url, given.requests, given.in_flight, expected))
    seconds = time.perf_counter() - started
    print(json.dumps({"requests": given.requests, "wrong": wrong, "seconds": seconds}))
    sys.exit(bool(wrong))


async def drive(client: Client, url: str, requests: int, in_flight: int, expected: str) -> int:
    """Ask ``requests`` times with ``in_flight`` at once; return how many answers were not as served."""
    left = iter(range(requests))
    wrong = 0

    async def work(ask: Ask) -> None:
        nonlocal wrong
        for _ in left:
            wrong += await ask() != expected

    async with client(url) as ask, asyncio.TaskGroup() as workers:
        for _ in range(min(in_flight, requests)):
            workers.create_task(work(ask))
    return wrong
