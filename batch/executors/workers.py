"""The workers of a run: processes on this machine that execute attempts, as providers for the engine.

A request is in a worker only while it is in flight, so that scheduling, limits, budgets and circuit breakers
see no difference. An attempt goes to the worker that has the fewest. A worker that ends is replaced, and what
was in flight there fails as ``worker_lost`` once its exit is proven.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from batch.errors import WorkerError, one_line
from batch.executors.child import Child
from batch.executors.payloads import decode_outcome, encode_call
from batch.executors.pipes import Pipe
from batch.executors.protocol import Leases
from batch.executors.worker_setup import Setup
from batch.failure_codes import WORKER_LOST
from batch.records import Failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from anyio.abc import TaskGroup

    from batch.providers.endpoint_spec import EndpointSpec
    from batch.records import Outcome, Request

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
        self._epochs, self._attempts = itertools.count(1), itertools.count(1)
        self._pipes: list[Pipe] = []
        self._outcomes: dict[int, asyncio.Future[bytes | Failure]] = {}
        self._changed = asyncio.Event()
        self._error: WorkerError | None = None
        self._on_error: Callable[[WorkerError], None] | None = None

    async def start(self, endpoints: Sequence[EndpointSpec]) -> list[WorkerEndpoint]:
        """Start the workers, and return the providers of the endpoints. Raises ``WorkerError``."""
        self._endpoints = list(endpoints)
        for _ in range(self._processes):
            self._tasks.start_soon(self._keep_one)
        while len(self._pipes) < self._processes:
            if self._error is not None:
                raise self._error
            await self._changed.wait()
        return [WorkerEndpoint(self, number) for number in range(len(endpoints))]

    def on_error(self, stop: Callable[[WorkerError], None]) -> None:
        """Call ``stop`` with the error that ends the run, also if it has happened already."""
        self._on_error = stop
        if self._error is not None:
            stop(self._error)

    async def execute(self, endpoint: int, request: Request) -> Outcome:
        """Execute one attempt in a worker and return its outcome."""
        payload = encode_call(endpoint, request)
        while not self._pipes:
            await self._changed.wait()
        pipe = min(self._pipes, key=_in_flight)
        attempt = next(self._attempts)
        outcome = self._outcomes[attempt] = asyncio.get_running_loop().create_future()
        pipe.issue(attempt, payload)
        try:
            found = await outcome
        except asyncio.CancelledError:
            pipe.cancel(attempt)
            raise
        finally:
            del self._outcomes[attempt]
        return found if isinstance(found, Failure) else decode_outcome(found)

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
        setup = Setup(next(self._epochs), self._endpoints, self._leases.beat)
        pipe = Pipe(setup, self._leases, self._settle)
        how = ""
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: pipe, sock=child.socket)
            if await _reported(pipe):
                self._add(pipe)
                await pipe.ended.wait()
        finally:
            if pipe in self._pipes:
                self._pipes.remove(pipe)
            how = await child.end(is_ending=pipe.is_closed)
            pipe.close()
            self._lose(pipe, child.pid, how)
        return pipe.has_settled, how

    def _add(self, pipe: Pipe) -> None:
        self._pipes.append(pipe)
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _settle(self, attempt: int, payload: bytes) -> None:
        outcome = self._outcomes.get(attempt)
        if outcome is not None and not outcome.done():
            outcome.set_result(payload)

    def _lose(self, pipe: Pipe, pid: int, how: str) -> None:
        """Fail what was in flight in a worker that has ended."""
        failure = Failure(
            WORKER_LOST, f"the worker process {pid} ended during the attempt ({how})", about_request=True
        )
        for attempt in pipe.lose():
            outcome = self._outcomes.get(attempt)
            if outcome is not None and not outcome.done():
                outcome.set_result(failure)

    def _fail(self, how: str) -> None:
        self._error = WorkerError(
            f"{MAX_DEATHS} worker processes ended one after the other without an answer ({how}). "
            "Finished results are written; run the same command to resume, perhaps without --processes"
        )
        self._change()
        if self._on_error is not None:
            self._on_error(self._error)


class WorkerEndpoint:
    """An endpoint whose attempts are executed in workers, as a ``protocols.Provider``."""

    def __init__(self, workers: Workers, number: int) -> None:
        self._workers = workers
        self._number = number

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt."""
        return await self._workers.execute(self._number, request)


def _in_flight(pipe: Pipe) -> int:
    return pipe.in_flight


async def _reported(pipe: Pipe) -> bool:
    """Wait for the first report of a worker; return whether it has come."""
    with anyio.move_on_after(START):
        return await pipe.ready
    return False
