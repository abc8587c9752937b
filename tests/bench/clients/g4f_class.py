"""g4f's own AutonomousAI class, as it is: only the addresses are ours."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from g4f.Provider.not_working.AutonomousAI import AutonomousAI

from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """Ask the class; it opens a session for each question."""
    AutonomousAI.api_endpoints = {"summary": f"{url}/api/v1/ai/summary"}

    async def ask() -> str:
        pieces = AutonomousAI.create_async_generator("summary", MESSAGES, stream=True)
        return "".join([piece async for piece in pieces if isinstance(piece, str)])

    yield ask


if __name__ == "__main__":
    run(client, arguments().parse_args())
