"""The connection to a Ray cluster: the one that ``RAY_ADDRESS`` names, else one of our own on this machine.

Only actors are used, and they hold one method. Ray is imported here, and late.

1. Ray runs in a thread. It sets no signal handlers there, and does not block the event loop. The thread lasts
   as long as the connection: daemons of Ray end with the thread that has started them.
2. Daemons inherit a mask that blocks the signals of a terminal, which reach the whole process group.
3. Ray prints nothing: neither its log, nor the errors of other processes, nor the output of actors. While it
   starts, the standard error of this process is closed for all.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from batch.errors import UsageError, one_line
from batch.executors.daemon_thread import DaemonThread
from batch.executors.polled_link import CallError, WorkerGoneError
from batch.executors.ray_refusals import AUTO, OWN, refusal
from batch.executors.ray_worker import RayWorker

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # else SIGTERM prints a stack, and aborts after 3 s
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # every line: Ray prints errors of other processes to stdout
}
"""What Ray reads when it is imported, and what its daemons inherit."""

REACH = 10.0
"""Seconds to reach the address of a cluster."""

LEAVE = 10.0
"""Seconds to disconnect. After that the process ends, and daemons of our own with it."""

_OPTIONS = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
"""The options of an actor: Ray neither restarts it nor repeats a call, which would be paid twice."""

_EXIT = "its worker process has died"
_EXIT_SEEN = "End of file"
"""What the death of an actor says if its node has seen the end of its process."""


class RayCluster:
    """A cluster that this process is connected to."""

    def __init__(self, ray: Any, *, is_own: bool) -> None:
        self._ray = ray
        self._is_own = is_own
        self._actor = ray.remote(RayWorker).options(**_OPTIONS)

    @property
    def cpus(self) -> int:
        """Number of processors in the cluster now, for at most so many workers."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    @property
    def is_encrypted(self) -> bool:
        """Whether messages between machines are encrypted, or never leave this one."""
        return self._is_own or os.environ.get("RAY_USE_TLS", "").lower() in ("1", "true")

    def new_worker(self) -> RayActor:
        """Return a worker, which starts when the cluster has a processor for it."""
        return RayActor(self._ray, self._actor)


class RayActor:
    """One worker in the cluster. It is created by the first call."""

    def __init__(self, ray: Any, kind: Any) -> None:
        self._ray = ray
        self._kind = kind
        self._actor: Any = None

    async def call(self, message: bytes) -> bytes:
        """Return the answer of the worker. Raises ``CallError`` and ``WorkerGoneError``."""
        errors = self._ray.exceptions
        try:
            if self._actor is None:
                self._actor = self._kind.remote()
            answer: bytes = await self._actor.exchange.remote(message)
        except errors.ActorUnavailableError as error:
            raise CallError(one_line(error)) from None
        except errors.RayError as error:
            raise _gone(error) from None
        return answer

    def kill(self) -> None:
        """End the worker, as far as it can be reached."""
        if self._actor is not None:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(self._actor, no_restart=True)


class RayConnection:
    """Connects to a cluster; an async context manager that disconnects at its end."""

    def __init__(self) -> None:
        self._thread = DaemonThread("ray")
        self._is_abandoned = False
        self._is_ours = False

    async def connect(self, workers: int) -> RayCluster:
        """Connect. Raises ``UsageError``.

        A cluster of our own has a processor for each of ``workers``, whether the machine has so many or not.
        """
        address = os.environ.get("RAY_ADDRESS") or OWN
        if address.startswith("ray://"):
            raise UsageError(
                f"--executor ray does not work over {address}; run it in the cluster: `ray job submit`"
            )
        if find_spec("ray") is None:
            raise UsageError("--executor ray needs the package ray; run: pip install 'promptjobs[ray]'")
        if _is_connected():
            raise UsageError("this process is connected to Ray already; call `ray.shutdown()` before the run")
        if address not in (OWN, AUTO):
            await _check_reachable(address)
        self._is_ours = True
        with _discarded_stderr():
            ray = await self._thread.run(_connect, address, workers)
        return RayCluster(ray, is_own=address == OWN)

    def abandon(self) -> None:
        """Do not disconnect: the end of this process, which is near, ends what belongs to it."""
        self._is_abandoned = True
        if (ray := sys.modules.get("ray")) is not None:
            atexit.unregister(ray.shutdown)  # it takes seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._is_ours and not self._is_abandoned:
            with anyio.move_on_after(LEAVE, shield=True):
                await self._thread.run(_disconnect)


def _connect(address: str, workers: int) -> Any:
    """Return the module ``ray``, connected. Raises ``UsageError``."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address != OWN:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")  # else it tries for ten minutes
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGHUP])
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == OWN else {}
    import ray  # noqa: PLC0415 - an extra, and it takes a second to load

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **own)
    except Exception as error:
        ray.shutdown()
        raise UsageError(refusal(error, address)) from error
    return ray


def _is_connected() -> bool:
    """Whether code that calls this library has connected this process."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()


def _disconnect() -> None:
    if (ray := sys.modules.get("ray")) is not None:
        ray.shutdown()


async def _check_reachable(address: str) -> None:
    """Check that an address answers: Ray itself tries for ten minutes. Raises ``UsageError``."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(REACH):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise UsageError(f"the Ray cluster at {address} is not reached: {one_line(error)}") from None


@contextmanager
def _discarded_stderr() -> Iterator[None]:
    """Discard what is written to standard error, also by code in C++."""
    sys.stderr.flush()
    ours = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(ours, 2)
        os.close(ours)


def _gone(error: Exception) -> WorkerGoneError:
    text = " ".join(str(error).split())
    is_proven = _EXIT in text and _EXIT_SEEN in text
    return WorkerGoneError(_how(text), is_proven=is_proven)


_FORMS = (
    ("No module named 'batch", "promptjobs is not installed on a node of the cluster"),
    (_EXIT, "its process ended"),
    ("its node has died", "its node was lost"),
)


def _how(text: str) -> str:
    """Return how a worker was lost, from what Ray says."""
    return next((form for words, form in _FORMS if words in text), text[:300])
