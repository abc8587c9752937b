"""The source of a run's requests: a job that was read before the run, or one that is read during it.

With ``on_bad_row: skip`` the first request is sent at once (``StreamingFeed``). Any other job is planned as a
whole first (``PlannedFeed``). The engine does not know which of the two it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from batch.app.run.changed_requests import afterwards, announcements, check_sidecar, refuse_changes
from batch.app.run.plan import Plan, make_plan_in_thread
from batch.app.run.selection_check import check_selection
from batch.app.run.streaming_plan import StreamingPlan
from batch.app.run.timestamps import exact_utc_now
from batch.scheduling.selection import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from batch.app.run.pending_requests import Allowance
    from batch.events import PlanGrew
    from batch.inputs.source import JobSource
    from batch.jobfile.job import JobFile
    from batch.observers import Observers
    from batch.protocols import Sink
    from batch.records import Request, Result
    from batch.scheduling.selection import Selection


class RequestFeed(Protocol):
    """The requests of one run. ``plan`` counts them; ``is_whole``: the plan covers the whole job."""

    plan: Plan

    @property
    def is_whole(self) -> bool: ...

    async def prepare(self, observers: Observers) -> None:
        """Read what must be known before anything is sent, and announce changed requests.

        Raises ``JobFileError`` for errors in the inputs, and ``UsageError`` and ``OutputWriteError`` if
        answers would be superseded that may not or cannot be.
        """
        ...

    def may_choose(self) -> bool:
        """Return whether a queue may begin with other requests than the job's first."""
        ...

    def requests(self, target: str, allowance: Allowance) -> Iterator[Request | None]:
        """Yield the requests to send to a target, and ``None`` if reading on takes a while."""
        ...

    def connect(self, record: Callable[[Result], None], notice: Callable[[str], None]) -> None:
        """Set the receivers of results of requests that cannot be sent, and of notices."""
        ...

    def growth(self) -> PlanGrew | None:
        """Return how far the job has been read; ``None`` if all of it was read before."""
        ...

    async def finish(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        """Read what no queue has read, and ``write`` the results of requests that cannot be sent."""
        ...

    def closing_notice(self, superseded: int) -> str:
        """Return the final notice; ``superseded`` answers were kept."""
        ...


class PlannedFeed:
    """A job that was read as a whole.

    ``sink`` holds earlier results; ``selection`` says which requests are sent.
    """

    is_whole = True

    def __init__(
        self,
        job: JobFile,
        source: JobSource,
        sink: Sink,
        selection: Selection = UNLIMITED,
    ) -> None:
        self._job = job
        self._source = source
        self._sink = sink
        self._selection = selection
        self.plan = Plan(selection)

    async def prepare(self, observers: Observers) -> None:
        """Plan the job, and announce changed requests."""
        self.plan = await make_plan_in_thread(self._source, self._sink.known, self._selection)
        check_selection(self._job, self.plan)
        refuse_changes(self._job, self.plan)
        if self.plan.superseding:
            check_sidecar(self._job)
        for text in announcements(self._job, self.plan):
            observers.inform(text)

    def may_choose(self) -> bool:
        """Every request is known."""
        return True

    def requests(self, target: str, allowance: Allowance) -> Iterator[Request | None]:
        """Yield the planned requests, found again in the inputs."""
        return allowance.pending(self._source, target, self.plan, self._sink)

    def connect(self, record: Callable[[Result], None], notice: Callable[[str], None]) -> None:
        """Documents and rows may have become unusable."""
        self.plan.changes.hand_over(record, notice)

    def growth(self) -> None:
        """The plan does not grow."""

    async def finish(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        """Do nothing: everything was read before."""

    def closing_notice(self, superseded: int) -> str:  # noqa: ARG002 - changes were announced before
        """Return nothing: everything was announced before."""
        return ""


class StreamingFeed:
    """A job that is read while it runs; see ``StreamingPlan``."""

    def __init__(
        self,
        job: JobFile,
        source: JobSource,
        sink: Sink,
        selection: Selection = UNLIMITED,
    ) -> None:
        self._job = job
        self._source = source
        self._sink = sink
        self._selection = selection
        self._streaming = StreamingPlan(source, sink.known, exact_utc_now, selection)
        self.plan = self._streaming.plan

    @property
    def is_whole(self) -> bool:
        """Whether all of the job has been read."""
        return self._streaming.is_whole

    async def prepare(self, observers: Observers) -> None:  # noqa: ARG002 - nothing is known to announce
        """Read to the first request of each target.

        All of the job is read if changes are refused or ids are selected.
        """
        if self._job.on_change == "refuse" or self._selection.only:
            plan = await make_plan_in_thread(self._source, self._sink.known, self._selection)
            check_selection(self._job, plan)
            refuse_changes(self._job, plan)
        check_sidecar(self._job)
        await self._streaming.begin()

    def may_choose(self) -> bool:
        """Only the first requests are known."""
        return False

    def requests(self, target: str, allowance: Allowance) -> Iterator[Request | None]:
        """Yield the requests as they are read."""
        return self._streaming.requests(target, allowance)

    def connect(self, record: Callable[[Result], None], notice: Callable[[str], None]) -> None:
        """Invalid rows have results, too."""
        self.plan.changes.hand_over(record, notice)
        self._streaming.hand_over(record)

    def growth(self) -> PlanGrew:
        """Return how many requests have been found so far, and how many of them need no attempt."""
        return self._streaming.growth()

    async def finish(self, write: Callable[[list[Result]], Awaitable[None]]) -> None:
        """Count the requests that no queue has read."""
        await self._streaming.count_the_rest(write)

    def closing_notice(self, superseded: int) -> str:
        """Return how many requests had changed."""
        return afterwards(self._job, self.plan, superseded)


def feed_of(
    job: JobFile,
    source: JobSource,
    sink: Sink,
    selection: Selection = UNLIMITED,
) -> RequestFeed:
    """Return the feed for the job: a job that skips invalid rows is not read beforehand."""
    if job.inputs is not None and job.inputs.skips:
        return StreamingFeed(job, source, sink, selection)
    return PlannedFeed(job, source, sink, selection)
