"""Run the embedded endpoint in the foreground, until a signal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

from batch.errors import LocalModelError, UsageError
from batch.local_model.parent import started
from batch.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import TaskStatus

    from batch.local_model.download import Progress
    from batch.local_model.endpoint import Endpoint


async def serve(
    engine: str,
    *,
    host: str,
    port: int,
    key: str | None,
    auth: bool = True,
    cache: Path,
    announce: Callable[[Endpoint], None],
    progress: Progress,
) -> None:
    """Serve ``engine`` until SIGINT or SIGTERM; call ``announce`` once it accepts requests.

    Without a ``key``, the endpoint creates a random one; on an address that other machines can reach, it is
    required. Without ``auth``, no key is needed, which is only allowed on loopback addresses. Raises
    ``UsageError`` for an invalid address, and ``LocalModelError`` if the endpoint cannot start or ends
    unexpectedly.
    """
    if not auth and not is_loopback(host):
        raise UsageError(f"{host} is reachable from other machines: --no-auth is only for loopback addresses")
    if not key and not is_loopback(host):
        raise UsageError(f"{host} is reachable from other machines: a key is required (`--api-key-env`)")
    error: LocalModelError | None = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(_cancel_at_signal, tasks.cancel_scope)
        try:
            async with started(
                engine, cache=cache, progress=progress, host=host, port=port, key=key, auth=auth
            ) as (
                endpoint,
                child,
            ):
                announce(endpoint)
                code = await child.wait()
                error = LocalModelError(f"the embedded endpoint ended unexpectedly (exit code {code})")
        except LocalModelError as caught:
            error = caught  # raised outside the task group, which would wrap it in a group
        tasks.cancel_scope.cancel()
    if error is not None:
        raise error


async def _cancel_at_signal(
    scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Cancel the scope at the first signal, also while the endpoint is starting."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        await anext(signals)
        scope.cancel()
