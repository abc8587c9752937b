"""The options of one run that are no part of the job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from batch.app.run.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What belongs to one run and not to the job.

    ``limit`` is the number of requests to send at most, ``max_duration`` is in seconds. ``signals``: SIGINT,
    SIGTERM and SIGHUP stop the run; only for the main thread of a process of our own, which a ``watchdog``
    may watch. ``retry``: failed requests are sent again, also those that were given up. ``prune``: lines of
    requests that the job no longer has are dropped from the output, and what earlier runs have set aside is
    removed. ``adopt``: the output may be one that another job file wrote.
    """

    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: Literal["fsync", "flush"] = "fsync"
    signals: bool = False
    retry: bool = False
    prune: bool = False
    adopt: bool = False
    watchdog: Watchdog | None = None
