"""The workers of a run on Ray, as providers for the engine.

A worker that is lost is replaced at once, in a new epoch. What was in flight there fails as ``worker_lost``
only once the worker can send nothing more (``DriverSide.fenced_at``). What Ray reports is a hint, except for
the exit of a process that its own node has seen.
"""

from __future__ import annotations

import itertools
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
import msgspec
from yarl import URL

from batch.errors import NoWorkersError, UsageError
from batch.executors import handshake
from batch.executors.handshake import Hello
from batch.executors.polled_link import CallError, PolledLink, WorkerGoneError
from batch.executors.protocol import DriverSide, Leases
from batch.executors.ray_worker import clock
from batch.executors.sealed_endpoints import sealed
from batch.executors.worker_pool import Place, WorkerPool, places
from batch.executors.worker_setup import Setup, encode_setup
from batch.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from anyio.abc import TaskGroup

    from batch.errors import PromptJobsError
    from batch.executors.worker_pool import WorkerEndpoint
    from batch.providers.endpoint_spec import EndpointSpec

LEASES = Leases(resend=3.0, frame=8e6)
"""A worker that is silent for 15 s is cut off. A frame has at most 8 MB."""

START = 30.0
"""Seconds for the other workers to start, after the first has, and for a worker to open its endpoints."""

PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a worker is replaced, by how many before it ended one after the other without an outcome."""


class Actor(Protocol):
    """One worker in a cluster."""

    async def call(self, message: bytes) -> bytes:
        """Return the answer of the worker. Raises ``CallError`` and ``WorkerGoneError``."""
        ...

    def kill(self) -> None:
        """End the worker, as far as it can be reached."""
        ...


class Cluster(Protocol):
    """Where workers run."""

    @property
    def cpus(self) -> int:
        """The most workers that run at once."""
        ...

    @property
    def is_encrypted(self) -> bool:
        """Whether messages between machines are encrypted."""
        ...

    def new_worker(self) -> Actor:
        """Return a worker, which starts when there is room for it."""
        ...


class Connection(Protocol):
    """The way to a cluster."""

    async def connect(self, workers: int) -> Cluster:
        """Connect. Raises ``UsageError``."""
        ...

    def abandon(self) -> None:
        """Do not disconnect, since this process ends."""
        ...


@dataclass(frozen=True)
class Workforce:
    """What a run asks of its workers.

    ``sources`` are the variables and key files that the endpoints need, with the values of this machine.
    ``sends_keys``: the workers get them in memory. After ``outage`` seconds without a worker the run ends.
    """

    workers: int
    sources: Mapping[str, str]
    sends_keys: bool
    outage: float
    warn: Callable[[str], None]


@asynccontextmanager
async def opened(connection: Connection, workforce: Workforce) -> AsyncIterator[RayWorkers]:
    """Return workers that can be started; end them at the end."""
    async with anyio.create_task_group() as tasks:
        try:
            yield RayWorkers(connection, workforce, LEASES, tasks)
        finally:
            tasks.cancel_scope.cancel()


class _UnfitError(Exception):
    """A worker that cannot take part."""


class RayWorkers:
    """So many workers with the same endpoints, which are numbered."""

    def __init__(
        self,
        connection: Connection,
        workforce: Workforce,
        leases: Leases,
        tasks: TaskGroup,
        clock: Callable[[], float] = clock,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._workforce = workforce
        self._leases = leases
        self._tasks = tasks
        self._sources = {} if workforce.sends_keys else workforce.sources
        self._hello = Hello(os.urandom(16), tuple(self._sources))
        self._endpoints: list[EndpointSpec] = []
        self._loopback: str | None = None
        self._epochs = itertools.count(1)
        self._pool = WorkerPool()
        self._has_started = False
        self._last_end = "none has started; has the cluster a free processor?"

    async def start(self, endpoints: Sequence[EndpointSpec]) -> list[WorkerEndpoint]:
        """Start the workers, and return the providers of the endpoints.

        Raises ``UsageError``, also for a worker that cannot take part, and ``NoWorkersError``.
        """
        cluster = await self._connection.connect(self._workforce.workers)
        self._endpoints = sealed(endpoints, self._sources)
        self._loopback = next(filter(None, map(_loopback_of, endpoints)), None)
        expected = self._checked(cluster)
        for place in places(self._workforce.workers):
            self._tasks.start_soon(self._keep_one, cluster, place)
        self._tasks.start_soon(self._watch)
        await self._pool.until(1)
        with anyio.move_on_after(START):
            await self._pool.until(expected)
        self._has_started = True
        return self._pool.endpoints(len(endpoints))

    def on_error(self, stop: Callable[[PromptJobsError], None]) -> None:
        """Call ``stop`` with the error that ends the run, also if it has happened already."""
        self._pool.on_error(stop)

    def end_now(self) -> None:
        """Kill the workers; do not wait for the cluster."""
        self._connection.abandon()
        self._tasks.cancel_scope.cancel()

    def _checked(self, cluster: Cluster) -> int:
        """Return how many workers can start now."""
        warn, workers, cpus = self._workforce.warn, self._workforce.workers, cluster.cpus
        if cpus < workers:
            warn(f"the cluster has processors for {cpus} of {workers} workers")
        if self._workforce.sends_keys and not cluster.is_encrypted:
            warn("--send-keys sends keys unencrypted to the nodes of the cluster: RAY_USE_TLS is not set")
        return min(workers, cpus)

    async def _keep_one(self, cluster: Cluster, place: int) -> None:
        """Keep one worker running in a place, until cancelled."""
        ends = 0
        while True:
            await anyio.sleep(PAUSES[min(ends, len(PAUSES) - 1)])
            ends = 0 if await self._run_one(cluster, place) else ends + 1

    async def _run_one(self, cluster: Cluster, place: int) -> bool:
        """Run one worker until it is cut off; return whether it has settled an attempt."""
        actor = cluster.new_worker()
        try:
            host = await self._greet(actor)
            side = DriverSide(next(self._epochs), self._leases, self._clock())
            with anyio.fail_after(START):
                await actor.call(encode_setup(Setup(side.epoch, self._endpoints, self._leases)))
            link = PolledLink(actor.call, side, self._pool.settle, self._clock)
            self._pool.add(link, Place(place, host))
            try:
                await link.run()
            finally:
                self._pool.remove(link)
        except _UnfitError as error:
            self._refuse(str(error))
            return False
        except TimeoutError:
            self._last_end = f"a worker has not opened its endpoints within {START:g} s"
            return False
        except (CallError, WorkerGoneError, msgspec.DecodeError) as error:
            self._last_end = str(error)
            return False
        finally:
            actor.kill()
        self._last_end = link.how
        self._tasks.start_soon(self._bury, link, host)
        return link.has_settled

    async def _greet(self, actor: Actor) -> str:
        """Check that a worker can take part, and return the name of its machine. Raises ``_UnfitError``."""
        report = handshake.decode_report(await actor.call(handshake.encode(self._hello)))
        problem = handshake.problem(report, self._hello, self._sources, self._loopback)
        if problem is not None:
            raise _UnfitError(f"the worker on {report.host} {problem}")
        return report.host

    def _refuse(self, problem: str) -> None:
        """End a run that has not begun; report a worker that cannot take part in one that has."""
        if not self._has_started:
            self._pool.fail(UsageError(problem))
        elif problem != self._last_end:
            self._workforce.warn(problem)
        self._last_end = problem

    async def _bury(self, link: PolledLink, host: str) -> None:
        """Fail what was in flight in a worker, once it can send nothing more."""
        lost = await link.fenced()
        self._pool.lose(lost, f"the worker on {host} was lost during the attempt ({link.how})")

    async def _watch(self) -> None:
        """End the run when there has been no worker for too long."""
        while await self._is_there_one():
            while self._pool.links:
                await self._pool.changed()
        self._pool.fail(
            NoWorkersError(
                f"there was no worker for {self._workforce.outage:g} s (timeouts.outage): {self._last_end}. "
                "Finished results are written; run the same command to resume"
            )
        )

    async def _is_there_one(self) -> bool:
        """Wait for a worker, but not for too long; return whether there is one."""
        with anyio.move_on_after(self._workforce.outage):
            while not self._pool.links:
                await self._pool.changed()
            return True
        return False


def _loopback_of(endpoint: EndpointSpec) -> str | None:
    """Return an address that only this machine reaches but all workers need, as it may be displayed."""
    if endpoint.is_per_worker:
        return None
    shown = endpoint.shown_url or "the embedded endpoint"
    if is_loopback(URL(endpoint.base_url).host or ""):
        return shown
    proxy = endpoint.client.proxy
    return f"the proxy of {shown}" if proxy and is_loopback(URL(proxy).host or "") else None
