"""The openai SDK, with its default transport or with its aiohttp one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import openai

from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask


@asynccontextmanager
async def client(url: str, *, transport: str) -> AsyncIterator[Ask]:
    """Ask through one client."""
    chosen = openai.DefaultAioHttpClient() if transport == "aiohttp" else None
    messages: Any = MESSAGES
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{url}/v1", http_client=chosen) as sdk:

        async def ask() -> str:
            parts = []
            stream = await sdk.chat.completions.create(model="summary", messages=messages, stream=True)
            async for chunk in stream:
                parts.append(chunk.choices[0].delta.content or "")
            return "".join(parts)

        yield ask


if __name__ == "__main__":
    parser = arguments()
    parser.add_argument("--transport", choices=["default", "aiohttp"], default="default")
    given = parser.parse_args()
    run(partial(client, transport=given.transport), given)
