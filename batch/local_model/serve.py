"""The embedded endpoint for people: in the foreground, until a signal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from batch.errors import UsageError
from batch.local_model.hosts import is_loopback
from batch.local_model.parent import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch.local_model.download import Progress
    from batch.local_model.endpoint import Endpoint


async def serve(
    engine: str,
    *,
    host: str,
    port: int,
    key: str | None,
    cache: Path,
    announce: Callable[[Endpoint], None],
    progress: Progress,
) -> None:
    """Serve ``engine`` until SIGINT or SIGTERM; ``announce`` is told once it accepts requests.

    Without a ``key``, the endpoint makes a random one; on an address that others can reach, it must be
    given. Raises ``UsageError`` where it is not, and ``LocalModelError`` where the endpoint cannot start
    or ends by itself.
    """
    if not key and not is_loopback(host):
        raise UsageError(f"{host} can be reached by others: give the key that they are to show")
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with running(engine, cache=cache, progress=progress, host=host, port=port, key=key) as endpoint:
            announce(endpoint)
            async for _ in signals:
                break
