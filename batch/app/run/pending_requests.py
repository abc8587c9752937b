"""Find the planned requests of one target in inputs that may have changed.

Positions in the inputs are only a hint that lets the reader skip finished requests cheaply. The content
decides: a request is sent if it was planned and has not been sent yet. If the next planned request is not at
its position, the rest is matched by content. What remains at the end is searched once more from the start.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from batch.app.run.expected_requests import Match
from batch.app.run.read_ahead import read_ahead
from batch.app.run.timestamps import exact_utc_now
from batch.errors import Diagnostic
from batch.inputs.bad_rows import gone
from batch.results import result_line

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from batch.app.run.plan import Plan
    from batch.inputs.source import JobSource, Step
    from batch.protocols import Sink
    from batch.records import Request

_GONE = "the document existed when the run started and no longer exists"


def pending(
    source: JobSource, target: str, plan: Plan, sink: Sink, clock: Callable[[], float], pause: float
) -> Iterator[Request | None]:
    """Yield the requests of a target that the plan sends.

    ``None`` means that reading past the others has taken ``pause`` seconds and has not finished. Requests
    that are added to the inputs meanwhile wait for the next run.
    """
    if not plan.to_send[target]:
        return
    search = _Search(source, target, plan, sink)
    takes_next = search.reading.takes_next
    began = clock()
    for item in search.items():
        request: Request | None
        if type(item) is tuple and item[1].bad is None and takes_next(item[0]):
            request = item[0]
        else:
            request = search.chosen(item)
            if request is None and clock() - began < pause:
                continue
        yield request
        if request is not None and not search.reading.left:
            return
        began = clock()
    search.conclude()


class _Hint:
    """The marked drafts; all drafts, once the marks are ``void``."""

    def __init__(self, marks: Container[int]) -> None:
        self._marks = marks
        self.void = False

    def __contains__(self, number: object) -> bool:
        return self.void or number in self._marks


EVERY_DRAFT = range(2**62)
"""A container of all drafts, for a job of which everything is sent."""


def _hint(marks: Container[int] | None, *, sends_all: bool) -> _Hint | range | None:
    if marks is None:
        return None
    return EVERY_DRAFT if sends_all else _Hint(marks)


class _Search:
    """The reading position of one target in inputs that may have changed."""

    def __init__(self, source: JobSource, target: str, plan: Plan, sink: Sink) -> None:
        self._source = source
        self._target = target
        self._plan = plan
        self._sink = sink
        self.reading = plan.expected(target).reading(plan.to_send[target])
        self._all_new = plan.sends_all
        is_whole = self._all_new and source.job.shard is None
        self._hint = _hint(plan.marks(target), sends_all=is_whole)
        self._edited = 0
        self._bad: dict[str, Diagnostic] = {}

    def items(self) -> Iterator[Step]:
        """Read the inputs once, and once more if not everything was found."""
        yield from self._source.cursor(self._target, self._hint)
        if self.reading.left:
            self._look_everywhere()
            self._edited = 0
            yield from self._source.cursor(self._target)

    def conclude(self) -> None:
        """Report what was not found, now that everything has been read."""
        changes = self._plan.changes
        for request_id in self.reading.ids_left():
            known = self._sink.known(request_id)
            if known is None or not known.succeeded:  # keep an answer to an earlier content
                self._fail(request_id, self._diagnostic_of(request_id))
        edited = min(self._edited, self.reading.left)
        changes.edited += edited
        changes.missing += self.reading.left - edited

    def chosen(self, item: Step) -> Request | None:
        """Return the request if it is to be sent; it may not be the one planned at this position."""
        if item is None:
            return None
        if isinstance(item, Diagnostic):
            self._plan.changes.failed(item)
            return None
        request, origin = item
        if origin.bad is not None:
            self._take_bad(request, origin.bad)
            return None
        match = self.reading.match(request)
        if match is not Match.PLANNED and self.reading.in_order and self._is_to_send(request):
            self._look_everywhere()
            match = self.reading.match(request)
        if match is Match.EDITED and self._plan.of_documents and self._is_to_send(request):
            self.reading.take(request.id)
            match = Match.PLANNED
        self._edited += match is Match.EDITED
        return request if match is Match.PLANNED else None

    def _is_to_send(self, request: Request) -> bool:
        if self._all_new:
            return True
        return self._plan.selection.choose(request, self._sink.known(request.id)).sends

    def _look_everywhere(self) -> None:
        self._plan.changes.seen()
        if self.reading.in_order:
            self.reading.search()
        if isinstance(self._hint, _Hint):
            self._hint.void = True

    def _take_bad(self, request: Request, diagnostic: Diagnostic) -> None:
        """Report a row or document that was valid when the plan was made."""
        self._look_everywhere()
        if request.target and self.reading.expects(request.id):
            self._fail(request.id, diagnostic)
        else:
            self._bad[request.id] = diagnostic

    def _fail(self, request_id: str, diagnostic: Diagnostic) -> None:
        model = next(model.model for model in self._source.job.models if model.id == self._target)
        request, _ = gone(request_id, self._target, model, diagnostic)
        self.reading.take(request_id)
        self._plan.changes.record(result_line.unreadable(request, str(diagnostic), exact_utc_now()))

    def _diagnostic_of(self, request_id: str) -> Diagnostic:
        """Return the error of a request's document: the id begins with that of the document."""
        parts = request_id.split("/")
        names = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        known = (self._bad[name] for name in names if name in self._bad)
        return next(known, Diagnostic(request_id, 0, 0, "", _GONE))


SLICE = 0.002
"""Seconds for which a cursor skips finished requests before it yields to others."""


class Allowance:
    """The number of requests that may be sent, over all targets; ``None``: no limit.

    ``used_up``: the limit was reached.
    """

    def __init__(self, limit: int | None, clock: Callable[[], float] = perf_counter) -> None:
        self._limit = self._left = limit
        self._clock = clock
        self.used_up = limit == 0

    def pending(self, source: JobSource, target: str, plan: Plan, sink: Sink) -> Iterator[Request | None]:
        """Yield the requests of a target to send, until the allowance is used up."""
        for request in read_ahead(pending(source, target, plan, sink, self._clock, SLICE)):
            if request is not None and not self.takes_one():
                return
            yield request
            if self.used_up:
                return

    @property
    def reached(self) -> str | None:
        """Return the limit as text, once it was reached."""
        return f"--limit: {self._limit} requests were sent" if self.used_up else None

    def takes_one(self) -> bool:
        """Return whether one more may be sent."""
        if self._left is None:
            return True
        self.used_up = self.used_up or self._left <= 0
        self._left -= 1
        return not self.used_up
