"""aiohttp as most programs use it: a loop over lines, one session."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask

BODY = {"model": "summary", "messages": MESSAGES, "stream": True}


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """Ask through one session without a bound of its own."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask() -> str:
            parts = []
            async with session.post(f"{url}/v1/chat/completions", json=BODY) as response:
                async for line in response.content:
                    if line.startswith(b"data: ") and line != b"data: [DONE]\n":
                        choice = json.loads(line[6:])["choices"][0]
                        parts.append(choice["delta"].get("content", ""))
            return "".join(parts)

        yield ask


if __name__ == "__main__":
    run(client, arguments().parse_args())
