"""A cluster in virtual time, for the workers of a run on Ray: calls are lost, delayed and doubled.

Workers are killed and cut off. Both sides run their real code (``RayWorkers``, ``RayWorker``). The endpoint
checks that no job is executed twice at once, whatever happens.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch.executors.polled_link import CallError, WorkerGoneError
from batch.executors.ray_worker import RayWorker
from batch.records import Reply, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from batch.protocols import Provider
    from batch.providers.endpoint_spec import EndpointSpec
    from batch.records import Outcome, Request

NOTICED = 64.0
"""Seconds after which a cluster notices that a node is cut off."""


@dataclass(frozen=True)
class Faults:
    """Shares of calls that are lost, silently or not, and the longest delay of a message, in seconds."""

    lost: float = 0.0
    silent: float = 0.0
    doubled: float = 0.0
    delay: float = 0.001


class Server:
    """Answers each prompt with its echo after a while. ``begun`` counts the times by prompt."""

    def __init__(self, random: Random) -> None:
        self.begun: dict[str, int] = {}
        self.running: set[str] = set()
        self.durations: tuple[float, ...] = (0.01, 0.2, 2.0, 40.0)
        self._random = random

    async def complete(self, request: Request) -> Outcome:
        prompt = request.messages[-1]["content"]
        assert isinstance(prompt, str)
        assert prompt not in self.running, f"{prompt} is executed twice at once"
        self.begun[prompt] = self.begun.get(prompt, 0) + 1
        self.running.add(prompt)
        try:
            await asyncio.sleep(self._random.choice(self.durations))
        finally:
            self.running.discard(prompt)
        return Reply(f"echo: {prompt}", Verdict.COMPLETE)


class _Worker(RayWorker):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self.offset = server._random.uniform(-1000, 1000)

    async def open_endpoints(self, specs: list[EndpointSpec]) -> Sequence[Provider]:
        return [self._server for _ in specs]

    def clock(self) -> float:
        return asyncio.get_running_loop().time() + self.offset


class SimulatedActor:
    """A worker, and the network between it and the driver. ``is_cut`` cuts the network."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._worker = _Worker(cluster.server_of(len(cluster.actors)))
        self._gone: asyncio.Future[WorkerGoneError] = asyncio.get_running_loop().create_future()
        self.is_cut = False
        self.is_dead = False

    async def call(self, message: bytes) -> bytes:
        while self._cluster.is_full(self):  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(1.0)
        if self._gone.done():
            raise self._gone.result()
        delivery = asyncio.create_task(self._deliver(message))
        ends: list[asyncio.Future[Any]] = [delivery, self._gone]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if delivery.done():
            return delivery.result()
        delivery.cancel()
        raise self._gone.result()

    async def _deliver(self, message: bytes) -> bytes:
        random, faults = self._cluster.random, self._cluster.faults
        await self._pass(message)
        if random.random() < faults.doubled and message[:1] != b"{":
            asyncio.get_running_loop().create_task(self._again(message))
        answer = await self._worker.exchange(message)
        await self._pass(answer)
        return answer

    async def _again(self, message: bytes) -> None:
        await self._pass(message)
        if self._worker._polled is not None:
            await self._worker.exchange(message)

    async def _pass(self, message: bytes) -> None:
        """Let a message pass in one direction, or never."""
        random, faults = self._cluster.random, self._cluster.faults
        await asyncio.sleep(random.uniform(0, faults.delay))
        if self.is_cut or self.is_dead or (message[:1] != b"{" and random.random() < faults.silent):
            await asyncio.get_running_loop().create_future()
        if random.random() < faults.lost:
            raise CallError("lost")

    def die(self) -> None:
        """End the process; its node sees that."""
        self.is_dead = True
        self._stop_attempts()
        self._leave(WorkerGoneError("killed", is_proven=True))

    def cut(self) -> None:
        """Cut the network; the cluster notices that much later, and the worker goes on."""
        self.is_cut = True
        noticed = WorkerGoneError("its node was lost")
        asyncio.get_running_loop().call_later(NOTICED, self._leave, noticed)

    def kill(self) -> None:
        """As the driver does; a worker beyond the cut is not reached."""
        if not self.is_cut and not self.is_dead:
            self.die()

    def _leave(self, error: WorkerGoneError) -> None:
        if not self._gone.done():
            self._gone.set_result(error)

    def _stop_attempts(self) -> None:
        polled = self._worker._polled
        if polled is not None:
            polled._alarm.cancel()
            for task in list(polled._attempts._tasks.values()):
                task.cancel()


class SimulatedCluster:
    """Some room for workers. It is its own connection."""

    is_encrypted = True

    def __init__(self, random: Random, faults: Faults, cpus: int) -> None:
        self.random = random
        self.faults = faults
        self.cpus = cpus
        self.server = Server(random)
        self.actors: list[SimulatedActor] = []

    async def connect(self, workers: int) -> SimulatedCluster:
        return self

    def server_of(self, worker: int) -> Server:
        """Return the server that a worker reaches, by the number of workers before it."""
        return self.server

    def abandon(self) -> None:
        """As it is never left."""

    def is_full(self, actor: SimulatedActor) -> bool:
        """Whether a worker has no processor yet: those that were created before it have them all."""
        before = self.actors[: self.actors.index(actor)]
        return sum(not (each.is_dead or each.is_cut) for each in before) >= self.cpus

    def new_worker(self) -> SimulatedActor:
        self.actors.append(SimulatedActor(self))
        return self.actors[-1]

    async def cut_some(self, deaths: int, cuts: int, within: float) -> None:
        """Kill some workers and cut off others, at random times."""
        whats = [SimulatedActor.die] * deaths + [SimulatedActor.cut] * cuts
        self.random.shuffle(whats)
        for what in whats:
            await asyncio.sleep(self.random.uniform(0, within / len(whats)))
            alive = [actor for actor in self.actors if not actor.is_dead and not actor.is_cut]
            if alive:
                what(self.random.choice(alive))


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for it."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
