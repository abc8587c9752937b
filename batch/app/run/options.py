"""The options of one run that are not part of the job."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from batch.errors import UsageError
from batch.scheduling.selection import UNLIMITED, Selection

if TYPE_CHECKING:
    from batch.app.run.watchdog import Watchdog


class RayOptions(Struct, frozen=True):
    """A run on Ray: its number of workers, and whether they get the keys of this machine.

    Raises ``UsageError`` for an impossible one.
    """

    workers: int
    sends_keys: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError("workers: must be at least 1")
        if sys.platform == "win32":
            raise UsageError("workers on Ray need a POSIX system")


class RayNames(NamedTuple):
    """How a caller writes the options of a run on Ray, for errors."""

    executor: str
    workers: str
    number: str
    send_keys: str
    processes: str


def ray_options(
    executor: str | None, workers: int | None, processes: int, *, sends_keys: bool, names: RayNames
) -> RayOptions | None:
    """Return the options of a run on Ray, if it is one. Raises ``UsageError`` for those that do not fit."""
    if executor is None:
        if workers is not None or sends_keys:
            given = names.send_keys if sends_keys else names.workers
            raise UsageError(f"{given} needs {names.executor}")
        return None
    if executor != "ray":
        raise UsageError(f"an unknown executor; write {names.executor}")
    if workers is None:
        raise UsageError(f"{names.executor} needs {names.number}")
    if processes > 1:
        raise UsageError(f"{names.processes} cannot be combined with {names.executor}")
    return RayOptions(workers, sends_keys)


class RunOptions(Struct, frozen=True):
    """Options that belong to one run and not to the job.

    ``limit`` is the maximum number of requests to send, ``max_duration`` is in seconds. ``signals``: SIGINT,
    SIGTERM and SIGHUP stop the run; only for the main thread of our own process, which a ``watchdog`` may
    watch. ``prune``: lines of requests that the job no longer has are removed from the output, and so are the
    files that earlier runs set aside. ``adopt``: the output may be one that another job file wrote.
    ``selection`` says which requests are sent. ``processes`` is the number of processes that execute
    attempts; with one, this process does, unless workers on ``ray`` do. Raises ``UsageError`` for an
    impossible one.
    """

    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: Literal["fsync", "flush"] = "fsync"
    signals: bool = False
    prune: bool = False
    adopt: bool = False
    watchdog: Watchdog | None = None
    selection: Selection = UNLIMITED
    processes: int = 1
    ray: RayOptions | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UsageError("processes: must be at least 1")
        if self.processes > 1 and sys.platform == "win32":
            raise UsageError("processes: more than one needs a POSIX system")
