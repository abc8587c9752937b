"""Our client by itself: the endpoint that a run uses, without the run."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvloop

from batch.providers.client import HttpClient
from batch.providers.credentials import Credentials
from batch.providers.dialect_endpoint import DialectEndpoint
from batch.providers.timeouts import Timeouts
from batch.records import Reply, Request
from batch.wire.dialects import autonomous
from tests.bench.clients.drive import MESSAGES, arguments, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bench.clients.drive import Ask

REQUEST = Request("1", "", "summary", "summary", tuple(MESSAGES))


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Ask]:
    """Ask through one pool of connections."""
    async with HttpClient(Timeouts()) as pool:
        endpoint = DialectEndpoint(autonomous, pool, url, Credentials())

        async def ask() -> str:
            outcome = await endpoint.complete(REQUEST)
            return outcome.text if isinstance(outcome, Reply) else f"{outcome.code}: {outcome.message}"

        yield ask


if __name__ == "__main__":
    run(client, arguments().parse_args(), uvloop.new_event_loop)
