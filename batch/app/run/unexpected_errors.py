"""Unexpected exceptions that end a run: bugs of promptjobs, reported in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import InternalError, PromptJobsError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.app.run.run_log import RunLog


def explained(caught: Exception, log: RunLog) -> PromptJobsError:
    """Return the error that ends the run; of several, a ``PromptJobsError``.

    Anything else becomes an ``InternalError``, and its traceback is written to the log.
    """
    for error in _leaves(caught):
        if isinstance(error, PromptJobsError):
            return error
    where = log.trace(caught)
    internal = InternalError(
        f"internal error: {one_line(caught)}; the traceback is in {where}. "
        "Finished results are written; run the same command to resume"
    )
    internal.__cause__ = caught
    return internal


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
