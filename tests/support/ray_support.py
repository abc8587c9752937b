"""A Ray cluster of several nodes on this machine, and the processes in it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest  # noqa: TC002 - as tests import it

from tests.support.worker_support import command_of, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES = 3
HEALTH = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}
"""A node that does not answer for some seconds is dead."""


class TestCluster:
    """Three nodes with a processor each. ``folder`` holds all that Ray writes."""

    __test__ = False

    def __init__(self, cluster: Any, folder: Path) -> None:
        self._cluster = cluster
        self.folder = folder
        self.environment = {
            "RAY_ADDRESS": cluster.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "PYTHONWARNINGS": "",  # Ray has its own
        }
        self.nodes = [cluster.add_node(num_cpus=1) for _ in range(NODES)]

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        parents = {self.raylet(node) for node in self.nodes}
        return [process for process, parent in _ray_workers() if parent in parents and is_running(process)]

    def raylet(self, node: Any) -> int:
        """The process id of a node's daemon."""
        process: int = node.all_processes["raylet"][0].process.pid
        return process

    def busy_node(self) -> Any:
        """A node that has a worker."""
        parents = {parent for _, parent in _ray_workers()}
        return next(node for node in self.nodes if self.raylet(node) in parents)

    def replace(self, node: Any) -> None:
        """Add a node in the place of one that was killed."""
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._cluster.add_node(num_cpus=1))


@contextmanager
def ray_cluster(patch: pytest.MonkeyPatch) -> Iterator[TestCluster]:
    """A cluster whose daemons have the environment of this process, and a token of their own."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # the paths of sockets must be short
    (folder / "token").write_text(secrets.token_hex(32))
    Path(tempfile.gettempdir(), "ray").mkdir(exist_ok=True)  # where Ray notes the address of any cluster
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN_PATH", str(folder / "token"))
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra, which reads the environment

    head = {"num_cpus": 0, "_system_config": HEALTH, "temp_dir": str(folder), "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield TestCluster(cluster, folder)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call,unused-ignore]
        shutil.rmtree(folder, ignore_errors=True)


def _ray_workers() -> list[tuple[int, int]]:
    """The processes that run an actor of ours, with their parents."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and command_of(int(folder.name)).startswith(b"ray::RayWorker"):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                found.append((int(folder.name), parent))
        except OSError:
            continue
    return found
