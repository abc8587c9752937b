"""The options of one run that are not part of the job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from batch.scheduling.resume import TO_FORCE, TO_RETRY, TO_RUN
from batch.scheduling.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from batch.app.run.watchdog import Watchdog
    from batch.scheduling.resume import State


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options that belong to one run and not to the job.

    ``limit`` is the maximum number of requests to send, ``max_duration`` is in seconds. ``signals``: SIGINT,
    SIGTERM and SIGHUP stop the run; only for the main thread of our own process, which a ``watchdog`` may
    watch. ``retry``: failed requests are sent again, including those that a run skips. ``prune``: lines of
    requests that the job no longer has are removed from the output, and so are the files that earlier runs
    set aside. ``adopt``: the output may be one that another job file wrote. ``force``:
    requests are sent whatever their results are. ``selection`` limits the run to some requests.
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
    force: bool = False
    selection: Selection = EVERYTHING

    @property
    def sending(self) -> frozenset[State]:
        """The states from which requests are sent."""
        if self.force:
            return TO_FORCE
        return TO_RETRY if self.retry else TO_RUN
