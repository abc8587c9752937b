"""Jobs that are not gone through beforehand: with ``on_bad_row: skip`` the first request goes out at once.

Each queue's reading counts what it passes, so that after the run the plan knows the whole job: what no queue
has come to is read then. The reading of the first target records the bad rows.

A table that changes is read again from the start, past what has been counted: a row that was read while
the file was written may be made of two.
"""

from __future__ import annotations

from array import array
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from batch.app.run.input_changes import Stamps
from batch.app.run.pending_requests import SLICE
from batch.app.run.plan import Plan
from batch.errors import JobFileError, Mistake
from batch.events import PlanGrew
from batch.results import result_line
from batch.scheduling.selection import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterator

    from batch.app.run.pending_requests import Allowance
    from batch.inputs.bad_rows import Origin
    from batch.inputs.source import JobSource
    from batch.records import Known, Request, Result
    from batch.scheduling.resume import State
    from batch.scheduling.selection import Selection

READINGS = 8
"""Times that a table is read by one target while it keeps changing; what is left then stays pending."""

BATCH = 1000
"""Results of bad rows that are written in one go after the run."""


class StreamingPlan:
    """The requests of a job as they are read. ``plan`` grows with them; ``at`` gives the time for results.

    Results of bad rows gather until a run takes them over. ``is_whole``: the plan holds all of the job.
    """

    def __init__(
        self,
        source: JobSource,
        known: Callable[[str], Known | None],
        sending: frozenset[State],
        at: Callable[[], str],
        selection: Selection = EVERYTHING,
    ) -> None:
        self.plan = Plan(sending, selection)
        self.is_whole = False
        self.gathered: list[Result] = []
        self.record: Callable[[Result], None] = self.gathered.append
        self._known = known
        self._at = at
        self._recorder = source.targets[0]
        self._bad: set[str] = set()
        self._bad_elsewhere: dict[str, Mistake] = {}
        self._steps = {target: self._read(source, target) for target in source.targets}
        self._first: dict[str, Request] = {}

    def growth(self) -> PlanGrew:
        """Return how many requests have been found by now, and how many of them need nothing."""
        plan = self.plan
        return PlanGrew(plan.total - plan.left_out.total(), plan.settled, is_whole=self.is_whole)

    async def begin(self) -> None:
        """Read each target's requests as far as the first that is to be sent.

        Raises ``JobFileError`` where the inputs cannot be read.
        """
        for target, steps in self._steps.items():
            for step in steps:
                if step is not None:
                    self._first[target] = step
                    break
                await anyio.lowlevel.checkpoint()

    def requests(self, target: str, allowance: Allowance) -> Iterator[Request | None]:
        """What is to be sent to a target, ``None`` now and then. An error in the inputs ends it."""
        first = self._first.pop(target, None)
        try:
            for step in chain([first] if first is not None else (), self._steps[target]):
                if step is not None and not allowance.takes_one():
                    return
                yield step
        except JobFileError as error:
            self._stop_reading(error)

    def hand_over(self, record: Callable[[Result], None]) -> None:
        """From now on ``record`` takes the results of bad rows, those first that have gathered."""
        for result in self.gathered:
            record(result)
        self.gathered.clear()
        self.record = record

    async def count_the_rest(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        """Count what no queue has come to, and write the results of its bad rows."""
        self.record = self.gathered.append
        began = perf_counter()
        try:
            for step in chain.from_iterable(self._steps.values()):
                if step is None or len(self.gathered) >= BATCH or perf_counter() - began >= SLICE:
                    await self._write(write)
                    began = perf_counter()
        except JobFileError as error:
            self._stop_reading(error)
        finally:
            await self._write(write)
        for request_id in self._bad_elsewhere.keys() - self._bad:  # good when the first target came to it
            self.plan.changes.failed(self._bad_elsewhere[request_id])
            self.plan.changes.is_partial = True
        self.is_whole = not self.plan.changes.is_partial

    def _stop_reading(self, error: JobFileError) -> None:
        self.plan.changes.is_partial = True
        for mistake in error.mistakes:
            self.plan.changes.failed(mistake)

    async def _write(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        results = self.gathered.copy()
        self.gathered.clear()
        if results:
            await write(results)
        else:
            await anyio.lowlevel.checkpoint()

    def _read(self, source: JobSource, target: str) -> Iterator[Request | None]:
        """Each request that is to be sent, and ``None`` where reading past others has taken a while."""
        began = perf_counter()
        counted = array("q")
        for _ in range(1 if source.of_documents else READINGS):
            before = frozenset(counted)
            stamps = Stamps()
            for item in source.walk(target):
                if self._is_torn(item, source, stamps):
                    break
                if isinstance(item, Mistake):
                    raise JobFileError([item])
                if item is not None and self._takes(*item, target, counted, before):
                    yield item[0]
                    began = perf_counter()
                elif perf_counter() - began >= SLICE:
                    yield None
                    began = perf_counter()
            else:
                if not stamps.any_changed():
                    return
            self.plan.changes.seen()
        self.plan.changes.is_partial = True

    def _is_torn(
        self, item: tuple[Request, Origin] | Mistake | None, source: JobSource, stamps: Stamps
    ) -> bool:
        """Whether the file was written to since it was opened, so that nothing that it gave last counts."""
        if item is None or source.of_documents:
            return False
        return stamps.changed(item.path if isinstance(item, Mistake) else item[1].path)

    def _takes(
        self, request: Request, origin: Origin, target: str, counted: array[int], before: Container[int]
    ) -> bool:
        """Count a request, unless it was counted ``before``; whether it is to be sent."""
        if origin.bad is not None and target != self._recorder:
            self._bad_elsewhere[request.id] = origin.bad
            return False
        key = hash(request.id)
        if key in before:
            return False
        counted.append(key)
        if origin.bad is not None:
            self._bad.add(request.id)
        known = self._known(request.id)
        where = self.plan.count(request, origin, known)
        if not self.plan.sends(request.id, where, known):
            return False
        if origin.bad is not None:
            self.record(result_line.refused(request, str(origin.bad), self._at()))
        return origin.bad is None
