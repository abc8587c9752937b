"""Finish the output as the job requires, and write the summary of the run beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
from anyio.from_thread import check_cancelled

from batch.errors import JobFileError, one_line
from batch.events import RunEnded
from batch.results.filesystem import reason
from batch.results.run_history import append_run, history_path
from batch.results.summary_file import summary_path, write_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch.observers import Observers
    from batch.protocols import Source
    from batch.results.compaction import Order
    from batch.results.result_log import ResultLog
    from batch.results.run_record import RunRecord
    from batch.run_summary import Summary


async def finish(
    log: ResultLog, source: Source, order: Order, observers: Observers, *, prune: bool, keep: bool
) -> bool:
    """Close the log, and return whether it was pruned. ``keep``: superseded answers are kept elsewhere.

    The job is read once more if its order or its ids matter. If that fails, as when a document was deleted
    meanwhile, nothing is pruned or sorted: what cannot be read now may still be a part of the job. Raises
    ``OutputWriteError``.
    """
    try:
        await log.finish(_ids(source), order=order, prune=prune, keep=keep)
    except JobFileError as error:
        observers.warn(f"the output was neither pruned nor sorted, because the job has changed: {error}")
        await log.finish(keep=keep)
        return False
    return prune


def _ids(source: Source) -> Iterator[str]:
    """Return the ids of the job's requests, read in a worker thread until cancelled."""
    for request in source.requests():
        check_cancelled()
        yield request.id


async def publish(
    summary: Summary, output: Path, observers: Observers, record: Callable[[Summary], RunRecord]
) -> None:
    """Write the summary beside the output, the run's ``record`` into the history, and a line into the log.

    A failure is only reported. If this run sent nothing, it has no record, and the summary of an earlier run
    that did stays.
    """
    try:
        await anyio.to_thread.run_sync(write_summary, output, summary)
    except OSError as error:
        observers.warn(f"{summary_path(output)} cannot be written: {error.strerror}")
    if summary.attempts or summary.sent:
        try:
            await anyio.to_thread.run_sync(lambda: append_run(output, record(summary)))
        except Exception as error:  # noqa: BLE001 - the run has its results and its exit code
            observers.inform(f"the run is not in {history_path(output)}: {_reason(error)}")
    observers.emit(RunEnded(summary))


def _reason(error: Exception) -> str:
    return reason(error) if isinstance(error, OSError) else one_line(error)
