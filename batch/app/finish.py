"""Leaving the output as the job asks for it: one line per request, in its order, pruned if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import JobFileError

if TYPE_CHECKING:
    from batch.ports import Reporter, Source
    from batch.results.arrange import Order
    from batch.results.log import ResultLog


async def finish(log: ResultLog, source: Source, order: Order, reporter: Reporter, *, prune: bool) -> bool:
    """Close the log, and return whether it was pruned.

    The job is read once more where its order or its ids matter. Where that fails, as when a document has gone
    meanwhile, nothing is pruned or put in order: what cannot be read now may still be a part of the job.
    Raises ``OutputWriteError``.
    """
    ids = (request.id for request in source.requests())
    try:
        await log.finish(ids, order=order, prune=prune)
    except JobFileError as error:
        reporter.notice(f"the output is neither pruned nor put in order, since the job has changed: {error}")
        await log.finish()
        return False
    return prune
