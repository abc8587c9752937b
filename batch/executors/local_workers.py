"""The workers of a run: processes on this machine that execute attempts, as providers for the engine.

A worker that ends is replaced, and what was in flight there fails as ``worker_lost`` once its exit is proven.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace

from batch.errors import WorkerError, one_line
from batch.executors.child import Child
from batch.executors.pipes import Pipe
from batch.executors.protocol import Leases
from batch.executors.worker_pool import WorkerPool
from batch.executors.worker_setup import Setup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from anyio.abc import TaskGroup

    from batch.errors import PromptJobsError
    from batch.executors.worker_pool import WorkerEndpoint
    from batch.providers.endpoint_spec import EndpointSpec

START = 30.0
"""Seconds that a worker may take to start."""

LEASES = Leases()
"""A worker that has attempts and is silent for 15 s is killed."""

MAX_DEATHS = 5
"""Number of workers that may end one after the other in one place, without an outcome."""


@asynccontextmanager
async def opened(processes: int) -> AsyncIterator[Workers]:
    """Return workers that can be started; kill them at the end."""
    async with anyio.create_task_group() as tasks:
        try:
            yield Workers(processes, LEASES, tasks)
        finally:
            tasks.cancel_scope.cancel()


class Workers:
    """So many worker processes with the same endpoints, which are numbered."""

    def __init__(self, processes: int, leases: Leases, tasks: TaskGroup) -> None:
        self._processes = processes
        self._leases = leases
        self._tasks = tasks
        self._endpoints: list[EndpointSpec] = []
        self._epochs = itertools.count(1)
        self._pool = WorkerPool()

    async def start(self, endpoints: Sequence[EndpointSpec]) -> list[WorkerEndpoint]:
        """Start the workers, and return the providers of the endpoints. Raises ``WorkerError``."""
        self._endpoints = list(endpoints)
        for _ in range(self._processes):
            self._tasks.start_soon(self._keep_one)
        await self._pool.until(self._processes)
        return self._pool.endpoints(len(endpoints))

    def on_error(self, stop: Callable[[PromptJobsError], None]) -> None:
        """Call ``stop`` with the error that ends the run, also if it has happened already."""
        self._pool.on_error(stop)

    def end_now(self) -> None:
        """Kill the workers."""
        self._tasks.cancel_scope.cancel()

    async def _keep_one(self) -> None:
        """Keep one worker running, until cancelled or until its successors keep ending."""
        deaths = 0
        while True:
            has_settled, how = await self._run_one()
            deaths = 1 if has_settled else deaths + 1
            if deaths >= MAX_DEATHS:
                self._fail(how)
                return

    async def _run_one(self) -> tuple[bool, str]:
        """Run one worker to its end; return whether it has settled an attempt, and how it ended."""
        try:
            child = Child.start()
        except OSError as error:
            return False, one_line(error)
        unlimited = replace(self._leases, lease=math.inf, grace=math.inf)  # the driver kills it instead
        setup = Setup(next(self._epochs), self._endpoints, unlimited)
        pipe = Pipe(setup, self._leases, self._pool.settle)
        how = ""
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: pipe, sock=child.socket)
            if await _reported(pipe):
                self._pool.add(pipe)
                await pipe.ended.wait()
        finally:
            self._pool.remove(pipe)
            how = await child.end(is_ending=pipe.is_closed)
            pipe.close()
            lost = f"the worker process {child.pid} ended during the attempt ({how})"
            self._pool.lose(pipe.lose(), lost)
        return pipe.has_settled, how

    def _fail(self, how: str) -> None:
        self._pool.fail(
            WorkerError(
                f"{MAX_DEATHS} worker processes ended one after the other without an answer ({how}). "
                "Finished results are written; run the same command to resume, perhaps without --processes"
            )
        )


async def _reported(pipe: Pipe) -> bool:
    """Wait for the first report of a worker; return whether it has come."""
    with anyio.move_on_after(START):
        return await pipe.ready
    return False
