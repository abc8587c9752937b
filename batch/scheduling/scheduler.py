"""What runs next: fair between the endpoints' lanes, below one bound for all of them.

What is shared fairly is the slots, not the requests: if lanes took turns only, one whose answers take a
thousand times as long would soon have all slots, and the others would wait for it.
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

_UNDER_WAY = attrgetter("in_flight")


class Scheduler:
    """A pure state machine over lanes: ``take`` work, ``settle`` its outcome, until it is ``over``.

    ``in_flight`` counts the attempts under way. ``limited`` is set when a lane's gate is closed, or lets
    nothing through though nothing is under way: a limit of the run is reached, and no lane sends any more.
    """

    def __init__(self, lanes: Sequence[TargetQueue], limit: int) -> None:
        self.lanes = tuple(lanes)
        self._by_name = {lane.name: lane for lane in lanes}
        self.in_flight = 0
        self.draining = False
        self.limited = False
        self.limit = limit
        self._turns = list(lanes)  # who was served last comes last
        self._reader = 0

    @property
    def is_full(self) -> bool:
        """Whether as many attempts are in flight as are allowed."""
        return self.in_flight >= self.limit

    @property
    def over(self) -> bool:
        """Whether nothing is under way and nothing more can be taken in this run."""
        if self.draining:
            return not self.in_flight
        return all(lane.over for lane in self.lanes)

    def take(self, now: float) -> Task | None:
        """The next request to send, of the lane with the least under way; equals take turns."""
        if self.in_flight >= self.limit or self.draining:
            return None
        for lane in sorted(self._turns, key=_UNDER_WAY):
            work = lane.take(now)
            if work is not None:
                self._turns.remove(lane)
                self._turns.append(lane)
                self.in_flight += 1
                return work
        if not self.in_flight and any(lane.blocked for lane in self.lanes):
            self.limited = self.draining = True
        return None

    def read_on(self, now: float) -> None:
        """Let one of the lanes that are reading past rows go on with it; those lanes are due at once."""
        for _ in self.lanes if self._may_take() else ():
            self._reader = (self._reader + 1) % len(self.lanes)
            if self.lanes[self._reader].read_on(now):
                return

    def due(self, now: float) -> float | None:
        """When to look again, if no outcome comes before."""
        if not self._may_take():
            return None
        times = [due for lane in self.lanes if (due := lane.due(now)) is not None]
        return min(times, default=None)

    def settle(self, work: Task, outcome: Outcome, now: float) -> list[Decision]:
        """Take the outcome of an attempt in; see ``TargetQueue.settle``."""
        self.in_flight -= 1
        lane = self._by_name[work.lane]
        decisions = lane.settle(work, outcome, now)
        if lane.closed:
            self.limited = self.draining = True
        return decisions

    def review(self, now: float) -> list[Decision]:
        """Decide what no outcome will decide any more; see ``TargetQueue.review``."""
        if self.draining:
            return []
        decisions = [decision for lane in self.lanes for decision in lane.review(now)]
        if decisions and any(lane.closed for lane in self.lanes):
            self.limited = self.draining = True
        return decisions

    @property
    def checks(self) -> int:
        """The checks that were sent."""
        return sum(lane.checks for lane in self.lanes)

    def drain(self) -> None:
        """Hand out nothing more; what is under way may still be settled."""
        self.draining = True

    def _may_take(self) -> bool:
        return not (self.draining or self.is_full)
