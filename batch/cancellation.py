"""Distinguishes real cancellations from stray ``CancelledError`` exceptions."""

from __future__ import annotations

import asyncio


def is_stray() -> bool:
    """Whether a ``CancelledError`` is stray: the current asyncio task has not been cancelled.

    For example, a library shares a future between tasks, and another task has cancelled it.
    """
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
