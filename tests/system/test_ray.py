"""Runs on a Ray cluster of three nodes, of which workers, nodes and the driver are killed.

The server's own log is the judge. ``.ci/extended ray`` runs this in an environment with Ray.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.counting_server import CountingServer, most_at_once
from tests.support.job_files import write_job
from tests.support.kill_support import check_echoes
from tests.support.ray_support import ray_cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from anyio.abc import Process

    from tests.conftest import Command
    from tests.support.ray_support import TestCluster

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.ray,
    pytest.mark.slow,
    # Some versions of Ray leave files of the cluster open, in this process.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
    pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="it finds the workers in /proc"),
]

KEY = "sk-a-very-secret-key-0123456789"
REQUESTS = 400
ROWS = {f"row-{number}": f"number {number}" for number in range(REQUESTS)}
CONCURRENCY = 12
SLACK = 0.1
"""Seconds by which the server may notice a closed connection, or a busy machine delay a request."""
RECENT = 0.5
"""Seconds after the end of an answer in which its result may not be durable yet."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[TestCluster]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("KEY", "RAY_ADDRESS"):
            patch.delenv(name, raising=False)
        with ray_cluster(patch) as cluster:
            yield cluster


class Run:
    """A run on the cluster, in a process of its own."""

    def __init__(self, promptjobs: Command, cluster: TestCluster) -> None:
        self._folder = promptjobs.folder
        self._environment = {**promptjobs.environment, **cluster.environment, "KEY": KEY}
        self.process: Process

    async def start(self, workers: int, *more: str, **environment: str) -> None:
        """Start it."""
        command = [sys.executable, "-m", "tests.support.impatient_ray", "run", "job.yaml", "-q", "--json"]
        with (self._folder / "stderr").open("wb") as stderr, (self._folder / "stdout").open("wb") as stdout:
            self.process = await anyio.open_process(
                [*command, "--executor", "ray", "--workers", str(workers), *more],
                cwd=self._folder,
                env=self._environment | environment,
                stderr=stderr,
                stdout=stdout,
            )

    async def ended(self) -> int:
        """Wait for the end; return the exit code."""
        with anyio.fail_after(120):
            return await self.process.wait()

    @property
    def stderr(self) -> str:
        """What it has printed on stderr."""
        return (self._folder / "stderr").read_text()

    @property
    def summary(self) -> dict[str, Any]:
        """What ``--json`` has printed."""
        found: dict[str, Any] = json.loads((self._folder / "stdout").read_text())
        return found


@pytest.fixture
async def run(promptjobs: Command, cluster: TestCluster) -> AsyncIterator[Run]:
    run = Run(promptjobs, cluster)
    yield run
    if run.process.returncode is None:
        run.process.kill()
    await run.process.aclose()


@pytest.fixture
async def server(promptjobs: Command) -> AsyncIterator[CountingServer]:
    async with CountingServer() as server:
        write_job(promptjobs.folder, server.url, ROWS, concurrency=CONCURRENCY, adaptive=False)
        yield server


async def some_are_sent(server: CountingServer, number: int) -> None:
    """Wait until so many requests have been sent."""
    with anyio.fail_after(60):
        while len(server.log) < number:  # noqa: ASYNC110
            await anyio.sleep(0.01)


def check_loss(run: Run, server: CountingServer, in_flight: int) -> None:
    """Something was lost, no more than was in flight, and no more was sent twice than was lost."""
    assert len(server.log) - REQUESTS <= run.summary["wasted"] <= in_flight
    assert run.summary["wasted"] > 0


async def test_each_request_is_sent_once(run: Run, server: CountingServer, promptjobs: Command) -> None:
    await run.start(3)
    assert await run.ended() == 0, run.stderr
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    assert len(server.log) == REQUESTS
    assert most_at_once(server.log, SLACK) <= CONCURRENCY
    assert (run.summary["succeeded"], run.summary["wasted"]) == (REQUESTS, 0)
    assert run.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_worker_that_is_lost_is_replaced(
    run: Run, server: CountingServer, promptjobs: Command, cluster: TestCluster, number: signal.Signals
) -> None:
    await run.start(3)
    await some_are_sent(server, 50)
    in_flight = server.recent(RECENT)
    victim = cluster.workers()[0]
    os.kill(victim, number)
    try:
        assert await run.ended() == 0, run.stderr
    finally:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    check_loss(run, server, in_flight)
    assert "worker_lost" in (promptjobs.folder / "output" / "job.jsonl.log").read_text()


async def test_a_node_that_is_lost_costs_what_was_in_flight_there(
    run: Run, server: CountingServer, promptjobs: Command, cluster: TestCluster
) -> None:
    await run.start(3)
    await some_are_sent(server, 50)
    in_flight = server.recent(RECENT)
    node = cluster.busy_node()
    os.kill(cluster.raylet(node), signal.SIGKILL)
    try:
        assert await run.ended() == 0, run.stderr
    finally:
        cluster.replace(node)
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    check_loss(run, server, in_flight)


async def test_a_run_whose_driver_was_killed_is_resumed_with_another_number_of_workers(
    run: Run, server: CountingServer, promptjobs: Command, cluster: TestCluster
) -> None:
    await run.start(3)
    await some_are_sent(server, 50)
    in_flight = server.recent(RECENT)
    run.process.kill()
    await run.process.wait()
    await anyio.sleep(SLACK)
    sent = len(server.log)
    with anyio.fail_after(20):
        while cluster.workers():  # noqa: ASYNC110
            await anyio.sleep(0.05)
    await anyio.sleep(SLACK)
    assert len(server.log) == sent, "a worker has sent a request without its driver"
    await run.start(2)
    assert await run.ended() == 0, run.stderr
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    assert len(server.log) - REQUESTS <= in_flight


async def test_a_signal_lets_requests_in_flight_finish(
    run: Run, server: CountingServer, promptjobs: Command
) -> None:
    await run.start(3)
    await some_are_sent(server, 50)
    run.process.terminate()
    assert await run.ended() == 143, run.stderr
    assert 0 < len(server.log) < REQUESTS
    await run.start(3)
    assert await run.ended() == 0, run.stderr
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    assert len(server.log) == REQUESTS


async def test_requests_in_flight_have_the_grace_of_the_job_after_a_signal(
    run: Run, promptjobs: Command
) -> None:
    """Ray's own handler of SIGTERM would abort the process after three seconds."""
    async with CountingServer(4.0, 4.5) as server:
        write_job(promptjobs.folder, server.url, ROWS, concurrency=CONCURRENCY, adaptive=False)
        await run.start(2)
        await some_are_sent(server, 2)
        run.process.terminate()
        assert await run.ended() == 143, run.stderr
        assert run.summary["succeeded"] == len(server.log)
        assert (run.summary["wasted"], run.stderr.count("\n")) == (0, 3)


async def test_a_second_signal_ends_a_run_at_once(
    run: Run, promptjobs: Command, cluster: TestCluster
) -> None:
    async with CountingServer(60.0, 60.0) as server:
        write_job(promptjobs.folder, server.url, ROWS)
        await run.start(2)
        await some_are_sent(server, 1)
        run.process.terminate()
        with anyio.fail_after(10):
            while "a second signal stops now" not in run.stderr:  # noqa: ASYNC110
                await anyio.sleep(0.05)
            run.process.terminate()
            # 137: on a busy machine, the process that counts signals kills it.
            assert await run.ended() in (143, 137), run.stderr
            while cluster.workers():  # noqa: ASYNC110
                await anyio.sleep(0.05)


async def test_a_refused_token_is_an_error_in_one_sentence(
    run: Run, server: CountingServer, promptjobs: Command
) -> None:
    (promptjobs.folder / "token").write_text("0" * 64)
    await run.start(2, RAY_AUTH_TOKEN_PATH=str(promptjobs.folder / "token"))
    assert await run.ended() == 2
    assert "refuses the token of this user: Authentication token is missing or incorrect; see" in run.stderr
    assert run.stderr.count("\n") == 1
    assert server.log == []


async def test_a_server_on_loopback_is_that_of_each_worker_if_the_job_says_so(
    run: Run, server: CountingServer, promptjobs: Command
) -> None:
    await run.start(3, ELSEWHERE="1")
    assert await run.ended() == 2
    assert "or `endpoint_scope: worker` if each node has a server there" in run.stderr
    assert server.log == []
    write_job(promptjobs.folder, server.url, ROWS, endpoint_scope="worker")
    await run.start(3, ELSEWHERE="1")
    assert await run.ended() == 0, run.stderr
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    assert len(server.log) == REQUESTS


async def test_a_run_can_be_called_from_python(
    server: CountingServer, promptjobs: Command, cluster: TestCluster
) -> None:
    rows = {name: ROWS[name] for name in list(ROWS)[:40]}
    write_job(promptjobs.folder, server.url, rows)
    script = """import batch, ray
for limit in (10, None):
    summary = batch.run("job.yaml", executor="ray", workers=2, limit=limit)
    print(summary.exit_code, summary.succeeded, ray.is_initialized())
"""
    with anyio.fail_after(120):
        ended = await anyio.run_process(
            [sys.executable, "-c", script],
            cwd=promptjobs.folder,
            env={**promptjobs.environment, **cluster.environment},
        )
    assert ended.stdout.decode().splitlines() == ["8 10 False", "0 40 False"]
    assert len(server.log) == len(rows)


async def test_keys_are_those_of_the_workers_or_sent_on_request(
    run: Run, server: CountingServer, promptjobs: Command, cluster: TestCluster
) -> None:
    write_job(promptjobs.folder, server.url, ROWS, api_key_env="KEY")
    await run.start(2)
    assert await run.ended() == 2
    assert "has no key: the environment variable KEY is not set" in run.stderr
    assert server.log == []
    await run.start(2, "--send-keys")
    assert await run.ended() == 0, run.stderr
    assert "RAY_USE_TLS is not set" in run.stderr
    write_job(promptjobs.folder, server.url, ROWS, api_key_file="key")
    (promptjobs.folder / "key").write_text(KEY)
    (promptjobs.folder / "key").chmod(0o600)
    await run.start(2, "--force")
    assert await run.ended() == 0, run.stderr
    check_echoes(promptjobs.folder / "output" / "job.jsonl", ROWS)
    files = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
