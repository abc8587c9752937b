"""The workers of a run that execute its attempts: processes on this machine, or workers on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AsyncExitStack

    from batch.app.run.endpoints import Address
    from batch.app.run.options import RunOptions
    from batch.app.setup.environment import Environment
    from batch.executors.local_workers import Workers
    from batch.executors.ray_workers import RayWorkers
    from batch.jobfile.job import JobFile
    from batch.observers import Observers


async def open_workers(
    stack: AsyncExitStack,
    job: JobFile,
    environment: Environment,
    options: RunOptions,
    addresses: Iterable[Address],
    observers: Observers,
) -> Workers | RayWorkers | None:
    """Return the workers of a run on Ray, or with more than one process, on a stack that ends them."""
    if options.ray is not None:
        from batch.executors import ray_cluster, ray_workers  # noqa: PLC0415 - most runs have one process

        sources = {
            name: value for address in addresses for name, value in address.sources(environment).items()
        }
        workforce = ray_workers.Workforce(
            options.ray.workers, sources, options.ray.sends_keys, job.timeouts.outage, observers.warn
        )
        connection = await stack.enter_async_context(ray_cluster.RayConnection())
        return await stack.enter_async_context(ray_workers.opened(connection, workforce))
    if options.processes > 1:
        from batch.executors.local_workers import opened  # noqa: PLC0415 - most runs have one process

        return await stack.enter_async_context(opened(options.processes))
    return None
