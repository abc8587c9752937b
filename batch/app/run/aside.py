"""Going through a job in a thread, so that whoever runs it can do other things meanwhile, or give up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio.to_thread

from batch.app.run.plan import draw_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.run.plan import Plan
    from batch.inputs.source import JobSource
    from batch.records import Known
    from batch.scheduling.resume import State


async def drawn_up(
    source: JobSource, known: Callable[[str], Known | None], sending: frozenset[State]
) -> Plan:
    """``draw_up``, which a cancellation ends at the next request.

    ``known`` is called in the thread. Raises ``JobFileError`` with every mistake in the job's inputs.
    """
    is_left = threading.Event()

    def known_still(request_id: str) -> Known | None:
        if is_left.is_set():
            raise _LeftError
        return known(request_id)

    try:
        return await anyio.to_thread.run_sync(draw_up, source, known_still, sending, abandon_on_cancel=True)
    finally:
        is_left.set()


class _LeftError(Exception):
    """Nobody waits for the plan any more. It ends the thread, and nobody is told."""
