"""The requests that a target has to send, and their order.

The order is: refused requests that are due, the longest waiting first; retries that are due and paid for
(``RetryBudget``); requests that were put back uncharged; new requests from the target's own cursor.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING

from batch.scheduling.token_bucket import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batch.records import Request
    from batch.scheduling.task import Task


class Backlog:
    """The requests of one target that are not in flight.

    ``requests`` may yield ``None``: it has read past some rows without finding a request, and lets other
    tasks run. The backlog is then ``behind``, until ``read`` finds a request. ``first`` is sent before all
    others, ``candidates`` while the endpoint has not answered; the cursor's copies of them are skipped.
    """

    def __init__(
        self,
        requests: Iterator[Request | None],
        first: Request | None,
        candidates: Iterable[Request],
        limit: int,
        begin: Callable[[Request, float], Task],
    ) -> None:
        self.behind = False
        self.is_exhausted = False
        self.waiting = 0  # requests that have failed or were refused
        self.retries = RetryBudget(limit)
        self._requests = requests
        self._first = first
        self._candidates = {request.id: request for request in candidates}
        self._has_begun = False
        self._early: set[str] = set()
        self._tries_new = False
        self._begin = begin
        self._ready: deque[Task] = deque()
        self._waiting: list[tuple[float, int, Task]] = []
        self._refused: list[tuple[float, int, Task]] = []
        self._refused_due: list[tuple[float, int, Task]] = []
        self._order = itertools.count()

    @property
    def has_ready(self) -> bool:
        """Whether a request is ready to be sent."""
        return bool(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether no request is left and the cursor yields no more."""
        return self.is_exhausted and not (self._ready or self.waiting)

    def next(self, now: float, *, may_read: bool, is_unproven: bool) -> Task | None:
        """Return the next request to send; ``None`` if there is none now."""
        task = None
        if self.waiting:
            task = self._due(now)
        if task is None and (is_unproven or self._candidates):
            task = self._to_begin_with(now, may_read=may_read, is_unproven=is_unproven)
        if task is None and self._ready:
            return self._ready.popleft()
        return self.read(now) if task is None and may_read and not self.behind else task

    def read(self, now: float) -> Task | None:
        """Read up to the next request or the end of a slice."""
        for request in self._requests:
            self.behind = request is None
            if request is None:
                return None
            if request.id in self._early:
                self._early.discard(request.id)
                continue
            if self._candidates:
                self._candidates.pop(request.id, None)
            return self._begin(request, now)
        self.is_exhausted, self.behind = True, False
        return None

    def next_due(self, now: float, *, may_read: bool) -> float | None:
        """Return when there is something to send; ``None``: not before a request settles."""
        if self._ready or may_read:
            return now
        waits = [queue[0][0] for queue in (self._waiting, self._refused) if queue]
        if self._refused_due:
            waits.append(now)
        return max(self.retries.ready_at(now), min(waits)) if waits else None

    def put_back(self, task: Task, *, first: bool = False) -> None:
        """Put back a request that may be sent at any time."""
        if first:
            self._ready.appendleft(task)
        else:
            self._ready.append(task)

    def wait(self, task: Task, due: float) -> None:
        """Send the request again at ``due``."""
        self.waiting += 1
        heapq.heappush(self._waiting, (due, next(self._order), task))

    def wait_refused(self, task: Task, due: float) -> None:
        """Send a request that the server refused for lack of capacity again at ``due``."""
        self.waiting += 1
        heapq.heappush(self._refused, (due, next(self._order), task))

    def _due(self, now: float) -> Task | None:
        while self._refused and self._refused[0][0] <= now:
            _, order, task = heapq.heappop(self._refused)
            heapq.heappush(self._refused_due, (task.refused_since or now, order, task))
        queue = self._refused_due or self._waiting
        if not queue or (queue is self._waiting and queue[0][0] > now) or not self.retries.spend(now):
            return None
        self.waiting -= 1
        return heapq.heappop(queue)[2]

    def _to_begin_with(self, now: float, *, may_read: bool, is_unproven: bool) -> Task | None:
        """Return a candidate while the endpoint has not answered; sometimes a new request.

        After failed candidates, every other request is a new one.
        """
        if not is_unproven:
            self._candidates.clear()
            return None
        request, self._first = self._first, None
        if request is None and self._has_begun and self._candidates:
            request = self._candidates.pop(next(iter(self._candidates)))
        self._has_begun = True
        if request is not None:
            self._early.add(request.id)
            return self._begin(request, now)
        self._tries_new = not self._tries_new
        return self.read(now) if self._tries_new and may_read and not self.behind else None
