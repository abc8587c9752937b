"""The embedded endpoint for people: in the foreground, until a signal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from batch.errors import LocalModelError, UsageError
from batch.local_model.hosts import is_loopback
from batch.local_model.parent import started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from anyio.abc import Process

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
        async with started(engine, cache=cache, progress=progress, host=host, port=port, key=key) as (
            endpoint,
            child,
        ):
            announce(endpoint)
            await _until_signal(signals, child)


async def _until_signal(signals: AsyncIterator[signal.Signals], child: Process) -> None:
    """Wait for a signal. Raises ``LocalModelError`` if the child ends first."""
    code: int | None = None
    async with anyio.create_task_group() as tasks:

        async def stop_waiting() -> None:
            await anext(signals)
            tasks.cancel_scope.cancel()

        tasks.start_soon(stop_waiting)
        code = await child.wait()
        tasks.cancel_scope.cancel()
    if code is not None:
        raise LocalModelError(f"the embedded endpoint has ended by itself (exit code {code})")
