"""The workers of a run on Ray, in virtual time; ``tests/system/test_ray.py`` has real ones."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.errors import NoWorkersError, PromptJobsError, UsageError
from batch.executors import handshake
from batch.executors.ray_workers import LEASES, RayWorkers, Workforce
from batch.providers.endpoint_spec import ClientSpec, EndpointSpec
from batch.providers.timeouts import Timeouts
from batch.records import Failure, Reply, Request
from tests.support import virtual_time
from tests.support.simulated_cluster import Faults, SimulatedCluster, cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batch.executors.protocol import Leases
    from batch.protocols import Provider

PATIENT = 1e6
"""Seconds without a worker that end no run, even where seven of eight workers fail to start."""

SPEC = EndpointSpec("openai", "http://192.0.2.1/v1", ClientSpec(Timeouts()), models=("m",))


def request(prompt: str) -> Request:
    return Request(prompt, "f", "m", "m", ({"role": "user", "content": prompt},))


def workforce(workers: int, **more: object) -> Workforce:
    """What a run asks; warnings are errors."""

    def warn(text: str) -> None:
        raise AssertionError(text)

    given = {"sources": {}, "sends_keys": False, "outage": 1000.0, "warn": warn}
    return Workforce(workers, **(given | more))  # type: ignore[arg-type]


@asynccontextmanager
async def started(
    cluster: SimulatedCluster, asked: Workforce, leases: Leases = LEASES, spec: EndpointSpec = SPEC
) -> AsyncIterator[Provider]:
    """Workers that execute the attempts of one endpoint, which this is."""
    async with anyio.create_task_group() as tasks:
        workers = RayWorkers(cluster, asked, leases, tasks, asyncio.get_running_loop().time)
        (provider,) = await workers.start([spec])
        yield provider
        tasks.cancel_scope.cancel()


async def run_jobs(
    cluster: SimulatedCluster, jobs: int, limit: int, leases: Leases, *, deaths: int = 0, cuts: int = 0
) -> list[int]:
    """Run jobs until each has its answer, whatever happens; return how many attempts each took."""
    attempts = [0] * jobs
    slots = asyncio.Semaphore(limit)

    async def run_one(provider: Provider, job: int) -> None:
        async with slots:
            while True:
                attempts[job] += 1
                outcome = await provider.complete(request(f"job {job}"))
                if isinstance(outcome, Reply):
                    assert outcome.text == f"echo: job {job}"
                    return
                assert outcome.code == "worker_lost", outcome

    async with started(cluster, workforce(cluster.cpus, outage=PATIENT), leases) as provider:
        trouble = asyncio.create_task(cluster.cut_some(deaths, cuts, 30.0))
        await asyncio.gather(*(run_one(provider, job) for job in range(jobs)))
        await cancelled(trouble)
    return attempts


@given(
    seed=st.integers(0, 2**32),
    faults=st.builds(
        Faults,
        lost=st.sampled_from([0.0, 0.05, 0.3]),
        silent=st.sampled_from([0.0, 0.05, 0.3]),
        doubled=st.sampled_from([0.0, 0.3]),
        delay=st.sampled_from([0.001, 0.2, 2.0]),
    ),
    workers=st.integers(1, 4),
    deaths=st.integers(0, 3),
    cuts=st.integers(0, 3),
)
@settings(max_examples=60)
def test_each_job_is_answered_and_none_is_executed_twice_at_once(
    seed: int, faults: Faults, workers: int, deaths: int, cuts: int
) -> None:
    async def main() -> None:
        cluster = SimulatedCluster(Random(seed), faults, workers)
        attempts = await run_jobs(cluster, 8, 5, LEASES, deaths=deaths, cuts=cuts)
        begun = cluster.server.begun
        assert all(1 <= begun[f"job {job}"] <= times for job, times in enumerate(attempts))

    virtual_time.run(main())


def test_without_faults_each_job_is_sent_once() -> None:
    async def main() -> None:
        cluster = SimulatedCluster(Random(1), Faults(), 3)
        assert await run_jobs(cluster, 50, 6, LEASES) == [1] * 50
        assert set(cluster.server.begun.values()) == {1}

    virtual_time.run(main())


def test_the_simulation_notices_a_fence_that_is_too_early() -> None:
    hasty = replace(LEASES, margin=-15.0)
    findings = []

    async def main(seed: int) -> None:
        cluster = SimulatedCluster(Random(seed), Faults(), 3)
        await run_jobs(cluster, 12, 6, hasty, cuts=3)

    for seed in range(10):
        try:
            virtual_time.run(main(seed))
        except BaseExceptionGroup as group:
            findings.append(str(group.exceptions[0]))
        except AssertionError as error:
            findings.append(str(error))
    assert any("internal_error" in finding for finding in findings), findings


def test_a_worker_that_is_not_called_abandons_its_attempts_when_lease_and_grace_are_over() -> None:
    async def main() -> None:
        cluster = SimulatedCluster(Random(1), Faults(), 1)
        server = cluster.server
        server.durations = (300.0,)
        time = asyncio.get_running_loop().time
        async with started(cluster, workforce(1)) as provider, anyio.create_task_group() as tasks:
            ended: list[tuple[float, str]] = []

            async def ask() -> None:
                outcome = await provider.complete(request("a"))
                assert isinstance(outcome, Failure)
                ended.append((time(), outcome.code))

            tasks.start_soon(ask)
            await asyncio.sleep(10.0)
            assert server.running == {"a"}
            cut_at = time()
            cluster.actors[0].cut()
            while server.running:  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.1)
            assert 18.0 <= time() - cut_at <= 20.2, "lease and grace, from the last frame that was answered"
            while not ended:  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(0.1)
            assert 23.0 <= ended[0][0] - cut_at <= 25.2, "lease, grace and margin, from the last answer"
            assert ended[0][1] == "worker_lost"

    virtual_time.run(main())


def test_a_proven_exit_fails_the_attempts_at_once() -> None:
    async def main() -> None:
        cluster = SimulatedCluster(Random(1), Faults(), 1)
        cluster.server.durations = (300.0,)
        time = asyncio.get_running_loop().time
        async with started(cluster, workforce(1)) as provider:
            asyncio.get_running_loop().call_later(10.0, cluster.actors[0].die)
            began = time()
            outcome = await provider.complete(request("a"))
            assert isinstance(outcome, Failure)
            assert outcome.message.endswith("was lost during the attempt (killed)")
            assert 10.0 <= time() - began <= 10.1

    virtual_time.run(main())


def ended_with(cluster: SimulatedCluster, asked: Workforce, spec: EndpointSpec = SPEC) -> PromptJobsError:
    """The error with which workers cannot start."""
    errors: list[PromptJobsError] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            workers = RayWorkers(cluster, asked, LEASES, tasks, asyncio.get_running_loop().time)
            with pytest.raises(PromptJobsError) as raised:
                await workers.start([spec])
            errors.append(raised.value)
            tasks.cancel_scope.cancel()

    virtual_time.run(main())
    return errors[0]


def test_a_worker_with_another_key_or_without_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "sk-theirs")
    error = ended_with(SimulatedCluster(Random(1), Faults(), 1), workforce(1, sources={"KEY": "sk-ours"}))
    assert isinstance(error, UsageError)
    assert "has another KEY than this machine; provide the same there, or use --send-keys" in str(error)
    monkeypatch.delenv("KEY")
    error = ended_with(SimulatedCluster(Random(1), Faults(), 1), workforce(1, sources={"KEY": "sk-ours"}))
    assert "has no key: the environment variable KEY is not set; provide it there" in str(error)


def test_a_loopback_address_needs_workers_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = iter(["there", "here"])
    monkeypatch.setattr(handshake, "network", lambda: next(networks))
    spec = replace(SPEC, base_url="http://127.0.0.1:8000/v1", shown_url="http://127.0.0.1:8000/v1")
    error = ended_with(SimulatedCluster(Random(1), Faults(), 1), workforce(1), spec)
    assert isinstance(error, UsageError)
    assert "cannot reach http://127.0.0.1:8000/v1, an address of this machine alone" in str(error)
    assert "or `endpoint_scope: worker` if each node has a server there" in str(error)


def test_a_server_of_each_worker_may_be_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = iter(["there", "here"])
    monkeypatch.setattr(handshake, "network", lambda: next(networks))
    spec = replace(SPEC, base_url="http://127.0.0.1:8000/v1", is_per_worker=True)

    async def main() -> None:
        async with started(SimulatedCluster(Random(1), Faults(), 1), workforce(1), spec=spec) as provider:
            assert isinstance(await provider.complete(request("a")), Reply)

    virtual_time.run(main())


def test_without_a_worker_for_too_long_the_run_ends() -> None:
    cluster = SimulatedCluster(Random(1), Faults(lost=1.0), 1)
    error = ended_with(cluster, workforce(1, outage=300.0))
    assert isinstance(error, NoWorkersError)
    assert error.exit_code == 75
    assert "there was no worker for 300 s (timeouts.outage): lost." in str(error)


def test_a_worker_that_opens_no_endpoints_is_a_reason() -> None:
    cluster = SimulatedCluster(Random(1), Faults(silent=1.0), 1)
    error = ended_with(cluster, workforce(1, outage=300.0))
    assert "(timeouts.outage): a worker has not opened its endpoints within 30 s. Finished" in str(error)


def test_fewer_processors_than_workers_are_reported() -> None:
    warnings: list[str] = []

    async def main() -> None:
        cluster = SimulatedCluster(Random(1), Faults(), 2)
        cluster.is_encrypted = False
        asked = workforce(3, warn=warnings.append, sends_keys=True)
        async with started(cluster, asked):
            pass

    virtual_time.run(main())
    assert warnings == [
        "the cluster has processors for 2 of 3 workers",
        "--send-keys sends keys unencrypted to the nodes of the cluster: RAY_USE_TLS is not set",
    ]
