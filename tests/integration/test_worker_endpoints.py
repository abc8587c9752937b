"""Endpoints of which each worker has one of its own (``endpoint_scope: worker``), in virtual time."""

from __future__ import annotations

import asyncio
import platform
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.app.run.endpoints import Address
from batch.app.run.options import RayOptions, RunOptions
from batch.app.run.worker_endpoints import by_place, endpoint_names
from batch.app.setup.environment import Environment
from batch.executors.ray_workers import LEASES, RayWorkers, Workforce
from batch.jobfile.job import Model
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Request
from tests.support import virtual_time
from tests.support.engine_support import Bench
from tests.support.simulated_cluster import Faults, Server, SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch.records import Outcome
    from tests.support.chat_server import ChatServer
    from tests.support.cli_support import Cli

WORKERS = 3
URL = "http://127.0.0.1:8000/v1"
MODEL = Model("m", "openai", "m", base_url=URL, endpoint_scope="worker")
SPEC = EndpointSpec("openai", URL, ClientSpec(Timeouts()), is_per_worker=True)
ROWS = [Request(f"row-{n}", "f", "m", "m", ({"role": "user", "content": f"number {n}"},)) for n in range(300)]


class NodeServer(Server):
    """The server of one node. ``is_down``: it refuses connections."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.durations = (0.1, 0.5)
        self.is_down = False

    async def complete(self, request: Request) -> Outcome:
        if self.is_down:
            return Failure("connect", "refused")
        return await super().complete(request)


class Nodes(SimulatedCluster):
    """A cluster in which each worker, also one that replaces another, has a server of its own."""

    def __init__(self, cpus: int = WORKERS) -> None:
        super().__init__(Random(1), Faults(), cpus)
        self.servers = [NodeServer(self.random) for _ in range(10)]

    def server_of(self, worker: int) -> Server:
        return self.servers[worker]


def played(
    nodes: Nodes, folder: Path, then: Callable[[], None] | None = None, *, workers: int = WORKERS
) -> Bench:
    """A run of ``ROWS`` to its end. ``then`` is called after four seconds."""
    options = RunOptions(ray=RayOptions(workers))
    benches: list[Bench] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            asked = Workforce(workers, {}, sends_keys=False, outage=600.0, warn=lambda _: None)
            ray = RayWorkers(nodes, asked, LEASES, tasks, loop.time)
            (endpoint,) = await ray.start([SPEC])
            bench = Bench({}, {"m": ROWS}, limit=6, pools={"m": endpoint_names(MODEL, options)})
            addresses = {"m": Address(MODEL, Environment({}, folder))}
            bench.providers.update(by_place({"m": endpoint}, addresses, options))  # type: ignore[arg-type]
            if then is not None:
                loop.call_later(4.0, then)
            await bench.run.run()
            benches.append(bench)
            tasks.cancel_scope.cancel()

    virtual_time.run(main())
    return benches[0]


def check_all_answered(bench: Bench) -> None:
    ids = [result.id for result in bench.sink.results if result.status == "succeeded"]
    assert sorted(ids) == sorted(row.id for row in ROWS)


def test_each_worker_has_an_endpoint_of_its_own(tmp_path: Path) -> None:
    nodes = Nodes()
    bench = played(nodes, tmp_path)
    check_all_answered(bench)
    assert bench.diary.failures == []
    shares = [len(server.begun) for server in nodes.servers]
    assert sum(shares) == len(ROWS)
    assert min(shares[:WORKERS]) > len(ROWS) / 4
    assert shares[WORKERS:] == [0] * 7


def test_a_server_that_is_down_costs_no_request_and_does_not_delay_the_others(tmp_path: Path) -> None:
    nodes = Nodes()
    nodes.servers[1].is_down = True
    bench = played(nodes, tmp_path)
    check_all_answered(bench)
    assert {failure.code for failure in bench.diary.failures} == {"connect"}
    assert len(bench.diary.failures) < 10
    assert nodes.servers[1].begun == {}
    assert {failure.message for failure in bench.diary.failures} == {f"on {platform.node()}: refused"}
    assert any("m on worker 2" in notice for notice in bench.diary.notices)


def test_the_successor_of_a_worker_has_its_endpoint_wherever_it_runs(tmp_path: Path) -> None:
    nodes = Nodes()

    def lose() -> None:
        nodes.actors[1].die()

    bench = played(nodes, tmp_path, lose)
    check_all_answered(bench)
    assert {failure.code for failure in bench.diary.failures} == {"worker_lost"}
    assert len(nodes.servers[3].begun) > 20


def test_a_place_that_stays_empty_is_left_to_the_others(tmp_path: Path) -> None:
    nodes = Nodes()

    def shrink() -> None:
        nodes.cpus = 2
        nodes.actors[1].die()

    bench = played(nodes, tmp_path, shrink)
    check_all_answered(bench)
    messages = {failure.message for failure in bench.diary.failures if failure.code == "connect"}
    assert messages == {"there is no worker 2 at present"}
    assert len(nodes.servers[0].begun) + len(nodes.servers[2].begun) > 250


def test_the_only_worker_is_awaited(tmp_path: Path) -> None:
    nodes = Nodes(1)

    def lose() -> None:
        nodes.cpus = 0
        nodes.actors[0].die()
        asyncio.get_running_loop().call_later(120.0, grow)

    def grow() -> None:
        nodes.cpus = 1

    bench = played(nodes, tmp_path, lose, workers=1)
    check_all_answered(bench)
    assert {failure.code for failure in bench.diary.failures} == {"worker_lost"}


def test_the_key_changes_no_request(cli: Cli, server: ChatServer) -> None:
    job = f"provider: openai\nbase_url: {server.url}/v1\nmodel: m\nprompt: hello\n"
    (cli.folder / "job.yaml").write_text(job)
    assert cli("run", "job.yaml", "-q").code == 0
    sent = len(server.seen)
    (cli.folder / "job.yaml").write_text(job + "endpoint_scope: worker\n")
    assert cli("run", "job.yaml", "-q").code == 0
    assert len(server.seen) == sent == 1


@pytest.mark.parametrize("options", [RunOptions(), RunOptions(processes=2)], ids=["alone", "processes"])
def test_on_one_machine_the_endpoint_is_one(options: RunOptions) -> None:
    assert endpoint_names(MODEL, options) == ("m",)


def test_several_addresses_are_endpoints_of_each_worker() -> None:
    model = Model("m", "openai", "m", base_urls=(URL, "http://127.0.0.1:8001/v1"), endpoint_scope="worker")
    assert endpoint_names(model, RunOptions(ray=RayOptions(2))) == (
        "m at http://127.0.0.1:8000/v1 on worker 1",
        "m at http://127.0.0.1:8001/v1 on worker 1",
        "m at http://127.0.0.1:8000/v1 on worker 2",
        "m at http://127.0.0.1:8001/v1 on worker 2",
    )
