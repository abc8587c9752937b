"""httpx with a loop of one's own: bytes as they come, cut at events, ``json``."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask

BODY = {"model": "summary", "messages": MESSAGES, "stream": True}
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """Ask through one client without a bound or a limit of time of its own."""
    async with httpx.AsyncClient(limits=LIMITS, timeout=None) as session:

        async def ask() -> str:
            parts: list[str] = []
            rest = b""
            async with session.stream("POST", f"{url}/v1/chat/completions", json=BODY) as response:
                async for data in response.aiter_raw():
                    *events, rest = (rest + data).split(b"\n\n")
                    parts += [_content(event) for event in events]
            return "".join(parts)

        yield ask


def _content(event: bytes) -> str:
    if event == b"data: [DONE]":
        return ""
    content: str = json.loads(event[6:])["choices"][0]["delta"].get("content", "")
    return content


if __name__ == "__main__":
    run(client, arguments().parse_args())
