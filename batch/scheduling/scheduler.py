"""The scheduler: fair between the queues of the targets, below one concurrency limit for all of them.

Slots are shared fairly, not requests. If queues simply took turns, one whose answers take a thousand times as
long would soon occupy all slots.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.records import Outcome
    from batch.scheduling.decisions import Decision
    from batch.scheduling.target_queue import TargetQueue
    from batch.scheduling.task import Task

_IN_FLIGHT = attrgetter("in_flight")


class Scheduler:
    """A pure state machine over queues: ``take`` a task, ``settle`` its outcome, until it is ``over``.

    ``in_flight`` counts attempts that have not ended. ``limited`` is set when the admission control of a
    queue is closed, or admits nothing although nothing is in flight. A limit of the run is then reached, and
    no queue sends any more.
    """

    def __init__(self, queues: Sequence[TargetQueue], limit: int) -> None:
        self.queues = tuple(queues)
        self._by_name = {queue.name: queue for queue in queues}
        self.in_flight = 0
        self.draining = False
        self.limited = False
        self.limit = limit
        self._turns = list(queues)  # the most recently served queue is last
        self._reader = 0

    @property
    def is_full(self) -> bool:
        """Whether the limit on attempts in flight is reached."""
        return self.in_flight >= self.limit

    @property
    def over(self) -> bool:
        """Whether nothing is in flight and nothing more can be taken in this run."""
        if self.draining:
            return not self.in_flight
        return all(queue.over for queue in self.queues)

    def take(self, now: float) -> Task | None:
        """Return the next request of the queue with the fewest in flight; equal queues take turns."""
        if self.in_flight >= self.limit or self.draining:
            return None
        turns = self._turns if len(self._turns) == 1 else sorted(self._turns, key=_IN_FLIGHT)
        for queue in turns:
            task = queue.take(now)
            if task is not None:
                self._turns.remove(queue)
                self._turns.append(queue)
                self.in_flight += 1
                return task
        if not self.in_flight and any(queue.blocked for queue in self.queues):
            self.limited = self.draining = True
        return None

    def read_on(self, now: float) -> None:
        """Let one of the queues that are reading past rows continue; those queues are due at once."""
        for _ in self.queues if self._may_take() else ():
            self._reader = (self._reader + 1) % len(self.queues)
            if self.queues[self._reader].read_on(now):
                return

    def due(self, now: float) -> float | None:
        """Return when to call ``take`` again if no outcome arrives before."""
        if not self._may_take():
            return None
        times = [due for queue in self.queues if (due := queue.due(now)) is not None]
        return min(times, default=None)

    def settle(self, task: Task, outcome: Outcome, now: float) -> list[Decision]:
        """Handle the outcome of an attempt; see ``TargetQueue.settle``."""
        self.in_flight -= 1
        queue = self._by_name[task.queue]
        decisions = queue.settle(task, outcome, now)
        if queue.closed:
            self.limited = self.draining = True
        return decisions

    def review(self, now: float) -> list[Decision]:
        """Make the decisions that no outcome will bring any more; see ``TargetQueue.review``."""
        if self.draining:
            return []
        decisions = [decision for queue in self.queues for decision in queue.review(now)]
        if decisions and any(queue.closed for queue in self.queues):
            self.limited = self.draining = True
        return decisions

    @property
    def checks(self) -> int:
        """The number of checks that were sent."""
        return sum(queue.checks for queue in self.queues)

    def drain(self) -> None:
        """Return no more requests from ``take``; those in flight may still be settled."""
        self.draining = True

    def _may_take(self) -> bool:
        return not (self.draining or self.is_full)
