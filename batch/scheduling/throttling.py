"""Refusals by an overloaded server: 429, and 503 with a ``Retry-After``. They are not charged.

A request fails because of them only after ``max_attempts`` refusals and ``outage`` seconds since the first,
if others were answered in the meantime. If none is answered for ``outage`` seconds, the endpoint is parked
for this run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batch.scheduling.task import Task

BUSY = 5
"""Number of requests refused by 503, with no answer in between, after which the endpoint is closed."""


class Throttling:
    """The refusals of one endpoint, which gave its last answer at ``answered_at``.

    ``are_ongoing``: it has refused a request since.
    """

    def __init__(self, max_attempts: int, outage: float) -> None:
        self._max_attempts = max_attempts
        self._outage = outage
        self._since = math.inf
        self.answered_at = -math.inf
        self.are_ongoing = False
        self._busy: set[str] = set()

    def end(self) -> None:
        """Record an answer."""
        self.are_ongoing = False
        self._since = math.inf
        self._busy.clear()

    def refused(self, task: Task, now: float) -> None:
        """Record the refusal of a request."""
        self.refused_check(now)
        task.refusals += 1
        if task.refused_since is None:
            task.refused_since = now

    def refused_check(self, now: float) -> None:
        """Record the refusal of a reference request."""
        self.are_ongoing = True
        self._since = min(self._since, now)

    def is_closed(self, request_id: str) -> bool:
        """Record a refusal by a 503; return whether the endpoint refuses all requests by now."""
        self._busy.add(request_id)
        return len(self._busy) >= BUSY

    def last_too_long(self, now: float) -> bool:
        """Whether nothing has been answered for ``outage`` seconds of refusals."""
        return now - self._since >= self._outage

    def exhaust(self, task: Task, now: float) -> bool:
        """Whether the server refuses only this request and answers others."""
        since = task.refused_since
        if since is None or task.refusals < self._max_attempts:
            return False
        return now - since >= self._outage and self.answered_at > since
