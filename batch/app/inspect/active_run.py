"""The run that is active on an output now, from its lock and its progress; nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.app.run.progress_writer import LIMITS
from batch.events import HeldBack, Parked, Snapshot
from batch.progress.counters import Counters
from batch.results.lock import holder
from batch.results.progress_file import active_progress

if TYPE_CHECKING:
    from pathlib import Path

    from batch.results.lock import Holder
    from batch.results.progress_file import Progress


class ActiveRun(Struct, frozen=True):
    """The process that runs a job, and its progress; ``None`` before and after it sends requests."""

    holder: Holder
    progress: Progress | None


def active_run(output: Path) -> ActiveRun | None:
    """Return the run that is active on an output; ``None`` if there is none."""
    held_by = holder(output)
    return None if held_by is None else ActiveRun(held_by, active_progress(output, held_by))


def counters_of(progress: Progress) -> Counters:
    """Return the counts of a run as its own progress bar has them."""
    counters = Counters()
    counters.start(progress.total or 0, progress.done, is_whole=progress.total is not None)
    counters.sent, counters.retries = progress.attempts, progress.retries
    counters.cost = progress.cost or 0.0
    counters.failed.update(progress.failed)
    return counters


def snapshot_of(progress: Progress) -> Snapshot:
    """Return the state of the engine as its own progress bar has it."""
    reason = progress.held_back
    is_limited = reason == LIMITS
    return Snapshot(
        in_flight=progress.in_flight,
        allowed=progress.limit,
        waiting=progress.retries_waiting,
        is_limited=is_limited,
        parked=tuple(
            Parked(each.name, each.parked.code, each.parked.seconds_left, each.parked.is_open)
            for each in progress.endpoints
            if each.parked is not None
        ),
        held_back=None if reason is None or is_limited else HeldBack(progress.limit, reason),
    )
