"""Telling a cancellation from an exception that only looks like one."""

from __future__ import annotations

import asyncio


def is_stray() -> bool:
    """Whether nothing has cancelled the current asyncio task: a ``CancelledError`` came from elsewhere.

    Such as from a future that a library shares between tasks, and another task has cancelled.
    """
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
