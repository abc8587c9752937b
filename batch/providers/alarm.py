"""Ending a wait when its deadlines are over, at the cost of one timer and not of one timer a read."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    import anyio

    from batch.providers.deadlines import Deadlines


class Alarm:
    """Cancels a scope once its deadlines are over.

    Deadlines mostly move away, with every read, and then the timer stays: it is set anew when it goes off.
    Only where they move nearer must somebody tell, by ``moved``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self._loop = loop
        self._deadlines = deadlines
        self._scope: anyio.CancelScope | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    @contextmanager
    def watch(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Watch the deadlines for as long as the context lasts."""
        self._scope = scope
        self._look()
        try:
            yield
        finally:
            self._scope = None
            self._drop()

    def moved(self) -> None:
        """The deadlines may have moved nearer."""
        if self._deadlines.due < self._at and self._scope is not None:
            self._look()

    def _look(self) -> None:
        self._drop()
        due = self._deadlines.due
        if self._scope is not None and self._loop.time() >= due:
            self._scope.cancel()
        elif due < math.inf:
            self._at = due
            self._timer = self._loop.call_at(due, self._look)

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._at = None, math.inf
