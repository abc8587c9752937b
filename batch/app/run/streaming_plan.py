"""Jobs that are read while they run: with ``on_bad_row: skip`` the first request is sent at once.

Each queue counts what it reads; what no queue has read is read after the run, so that the plan then covers
the whole job. The reading of the first target records the invalid rows.

A table that changes is read again from the start, past what was counted: a row that is read while the file is
written may be a mixture of two rows.
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
from batch.app.run.read_ahead import read_ahead
from batch.errors import Diagnostic, JobFileError
from batch.events import PlanGrew
from batch.results import result_line
from batch.scheduling.selection import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterator

    from batch.app.run.pending_requests import Allowance
    from batch.inputs.bad_rows import Origin
    from batch.inputs.source import JobSource, Step
    from batch.records import Known, Request, Result
    from batch.scheduling.selection import Selection

READINGS = 8
"""Times that one target reads a table that keeps changing; the rest then stays pending."""

BATCH = 1000
"""Results of invalid rows that are written at once after the run."""


class StreamingPlan:
    """The requests of a job as they are read. ``plan`` grows with them; ``at`` returns the time for results.

    Results of invalid rows are collected until a run takes them. ``is_whole``: the plan covers the whole job.
    """

    def __init__(
        self,
        source: JobSource,
        known: Callable[[str], Known | None],
        at: Callable[[], str],
        selection: Selection = UNLIMITED,
    ) -> None:
        self.plan = Plan(selection)
        self.is_whole = False
        self.gathered: list[Result] = []
        self.record: Callable[[Result], None] = self.gathered.append
        self._known = known
        self._at = at
        self._recorder = source.targets[0]
        self._bad: set[str] = set()
        self._bad_elsewhere: dict[str, Diagnostic] = {}
        self._steps = {target: self._read(source, target) for target in source.targets}
        self._first: dict[str, Request] = {}

    def growth(self) -> PlanGrew:
        """Return how many requests have been found so far, and how many of them need no attempt."""
        plan = self.plan
        return PlanGrew(plan.total - plan.left_out.total(), plan.settled, is_whole=self.is_whole)

    async def begin(self) -> None:
        """Read each target's requests up to the first that is to be sent.

        Raises ``JobFileError`` if the inputs cannot be read.
        """
        for target, steps in self._steps.items():
            for step in steps:
                if step is not None:
                    self._first[target] = step
                    break
                await anyio.lowlevel.checkpoint()

    def requests(self, target: str, allowance: Allowance) -> Iterator[Request | None]:
        """Yield what is to be sent to a target, and ``None`` now and then. An error in the inputs ends it."""
        first = self._first.pop(target, None)
        try:
            for step in read_ahead(chain([first] if first is not None else (), self._steps[target])):
                if step is not None and not allowance.takes_one():
                    return
                yield step
        except JobFileError as error:
            self._stop_reading(error)

    def hand_over(self, record: Callable[[Result], None]) -> None:
        """From now on pass the results of invalid rows to ``record``, those collected so far first."""
        for result in self.gathered:
            record(result)
        self.gathered.clear()
        self.record = record

    async def count_the_rest(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        """Count the requests that no queue has read, and write the results of their invalid rows."""
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
        for request_id in self._bad_elsewhere.keys() - self._bad:  # valid when the first target read it
            self.plan.changes.failed(self._bad_elsewhere[request_id])
            self.plan.changes.is_partial = True
        self.is_whole = not self.plan.changes.is_partial

    def _stop_reading(self, error: JobFileError) -> None:
        self.plan.changes.is_partial = True
        for diagnostic in error.diagnostics:
            self.plan.changes.failed(diagnostic)

    async def _write(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        results = self.gathered.copy()
        self.gathered.clear()
        if results:
            await write(results)
        else:
            await anyio.lowlevel.checkpoint()

    def _read(self, source: JobSource, target: str) -> Iterator[Request | None]:
        """Yield each request to be sent, and ``None`` if reading past others has taken a while."""
        began = perf_counter()
        counted = array("q")
        for _ in range(1 if source.of_documents else READINGS):
            before = frozenset(counted)
            stamps = Stamps()
            for item in source.trace(target):
                if self._is_partial(item, source, stamps):
                    break
                if isinstance(item, Diagnostic):
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

    def _is_partial(self, item: Step, source: JobSource, stamps: Stamps) -> bool:
        """Return whether the file was written to since it was opened, so that the last rows do not count."""
        if item is None or source.of_documents:
            return False
        return stamps.changed(item.path if isinstance(item, Diagnostic) else item[1].path)

    def _takes(
        self, request: Request, origin: Origin, target: str, counted: array[int], before: Container[int]
    ) -> bool:
        """Count a request, unless it was counted ``before``; return whether it is to be sent."""
        if origin.bad is not None and target != self._recorder:
            self._bad_elsewhere[request.id] = origin.bad
            return False
        key = hash(request.id)
        if key in before:
            return False
        counted.append(key)
        if origin.bad is not None:
            self._bad.add(request.id)
        if not self.plan.count(request, origin, self._known(request.id)).sends:
            return False
        if origin.bad is not None:
            self.record(result_line.refused(request, str(origin.bad), self._at()))
        return origin.bad is None
