"""The options of one run that are not part of the job."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from batch.errors import UsageError
from batch.scheduling.selection import UNLIMITED, Selection

if TYPE_CHECKING:
    from batch.app.run.watchdog import Watchdog


class RayOptions(Struct, frozen=True):
    """A run on Ray: its number of workers, and whether they get the keys of this machine."""

    workers: int
    sends_keys: bool = False


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
        if self.ray is not None and sys.platform == "win32":
            raise UsageError("workers on Ray need a POSIX system")
