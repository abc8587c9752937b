"""litellm, towards an OpenAI-compatible server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import litellm

from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """Ask through the module, which keeps clients of its own."""

    async def ask() -> str:
        stream = await litellm.acompletion(
            "openai/summary", MESSAGES, api_base=f"{url}/v1", api_key="none", stream=True, timeout=600
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    yield ask


if __name__ == "__main__":
    run(client, arguments().parse_args())
