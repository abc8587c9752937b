"""Refusals for having too much to do: 429, and 503 with a ``Retry-After``. They are not charged.

A request fails by them only after ``max_attempts`` refusals and ``outage`` seconds since the first, with
others answered since. Where none is answered for ``outage``, the endpoint is parked for this run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.scheduling.task import Task

BUSY = 5
"""Requests that a 503 may refuse with none answered since, before the endpoint counts as closed."""


class Throttling:
    """The refusals of one endpoint, which has answered last at ``answered_at``.

    ``are_going_on``: it has refused a request since.
    """

    def __init__(self, max_attempts: int, outage: float) -> None:
        self._max_attempts = max_attempts
        self._outage = outage
        self._since = math.inf
        self.answered_at = -math.inf
        self.are_going_on = False
        self._busy: set[str] = set()

    def end(self) -> None:
        """It has answered a request."""
        self.are_going_on = False
        self._since = math.inf
        self._busy.clear()

    def refused(self, task: Task, now: float) -> None:
        """It has refused a request."""
        self.refused_check(now)
        task.refusals += 1
        if task.refused_since is None:
            task.refused_since = now

    def refused_check(self, now: float) -> None:
        """It has refused a reference request."""
        self.are_going_on = True
        self._since = min(self._since, now)

    def is_closed(self, request_id: str) -> bool:
        """A 503 has refused one more request: whether it refuses all of them by now."""
        self._busy.add(request_id)
        return len(self._busy) >= BUSY

    def last_too_long(self, now: float) -> bool:
        """Whether nothing has been answered for ``outage`` seconds of refusals."""
        return now - self._since >= self._outage

    def exhaust(self, task: Task, now: float) -> bool:
        """Whether the request alone is refused, while others are answered."""
        since = task.refused_since
        if since is None or task.refusals < self._max_attempts:
            return False
        return now - since >= self._outage and self.answered_at > since
