"""The plan of a run: the state of every request, before anything is sent.

A thread reads the job, so that the event loop stays free and the caller can cancel.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import anyio.to_thread
from msgspec import Struct, field

from batch.app.run.expected_requests import Expected
from batch.app.run.input_changes import Changes
from batch.inputs.bitset import Bitset
from batch.inputs.precheck import check
from batch.inputs.source import JobSource
from batch.local_model.engine_identity import identity
from batch.scheduling.known_good_requests import Candidates
from batch.scheduling.resume import State
from batch.scheduling.selection import UNLIMITED, Choice, Selection, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from batch.inputs.bad_rows import Origin
    from batch.jobfile.job import JobFile
    from batch.records import Known, Request
    from batch.results.replaced import Replaced


_HAS_LINE = frozenset({State.CHANGED, State.DONE})
_FAILED = frozenset({State.FAILED, State.GIVEN_UP})

MAX_FAILURES = 10_000
"""Failures of earlier runs, and unreadable documents, that are kept by id; further ones are only counted."""


class Plan(Struct, eq=False):
    """The requests of a job by state, and those to be sent by target.

    Requests that the ``selection`` takes are to be sent. Those that only its ids and codes exclude are
    ``left_out``. ``to_refuse`` counts the invalid rows that are yet to be recorded,
    ``failed_codes`` all failed requests, by error code; ``failed_ids`` are the first of them, and
    ``bad_documents`` the paths of the first unreadable documents, by id. ``candidates`` are those to begin
    with, by target. ``of_documents``: each request is made of a document, which may be edited during the
    run. ``changes`` collects changes of the inputs. ``repeats``: some requests differ in nothing but their
    ordinal. ``superseding`` counts the requests to be sent that have a succeeded line: changed ones, and
    those that are ``forced``. ``unmatched`` are the patterns of ``selection.only`` that no request has
    matched yet. ``replaced`` counts the results that the run has replaced. ``elsewhere`` counts the requests
    that a line of another output settles, and ``only_elsewhere`` those of them without a line in the run's
    own.
    """

    selection: Selection = UNLIMITED
    states: Counter[State] = field(default_factory=Counter)
    to_send: Counter[str] = field(default_factory=Counter)
    to_refuse: int = 0
    repeats: bool = False
    superseding: int = 0
    forced: int = 0
    failed_codes: Counter[str] = field(default_factory=Counter)
    failed_ids: list[str] = field(default_factory=list)
    bad_documents: dict[str, str] = field(default_factory=dict)
    left_out: Counter[State] = field(default_factory=Counter)
    unmatched: set[str] = set()
    replaced: Replaced | None = None
    elsewhere: int = 0
    only_elsewhere: int = 0
    candidates: defaultdict[str, Candidates] = field(default_factory=lambda: defaultdict(Candidates))
    of_documents: bool = False
    changes: Changes = field(default_factory=Changes)
    _marks: defaultdict[str, Bitset] = field(default_factory=lambda: defaultdict(Bitset))
    _expected: dict[str, Expected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unmatched = set(self.selection.only)

    def count(self, request: Request, origin: Origin, own: Known | None) -> Choice:
        """Add a request of the job, of which the run's own output has this line; decide about it."""
        choice = self.selection.choose(request, own)
        where, known, sends = choice.where, choice.known, choice.sends
        if known is not None and known.elsewhere:
            self.elsewhere += 1
            self.only_elsewhere += own is None
        self.states[where] += 1
        if self.unmatched:
            self.unmatched -= {pattern for pattern in self.unmatched if matches(pattern, request.id)}
        if not sends and where in self.selection.states:
            self.left_out[where] += 1
        if sends:
            self.superseding += where in _HAS_LINE and known is not None and known.succeeded
            self.forced += where is State.DONE
        if known is not None and where in _FAILED:
            self._add_failure(request.id, known.code)
        if origin.bad is not None:
            self._add_bad_row(request.id, origin)
            self.to_refuse += sends
        elif sends:
            self.to_send[request.target] += 1
            self.candidates[request.target].to_send(
                request, has_failed=known is not None and where is not State.DONE
            )
            self._marks[request.target].add(origin.number)
            expected = self._expected.get(request.target)
            (self.expected(request.target) if expected is None else expected).add(request)
        elif where is State.DONE:
            self.candidates[request.target].answered(request)
        if len(request.id) > len(request.fingerprint) and request.id.startswith(request.fingerprint):
            self.repeats = True
        return choice

    def _add_failure(self, request_id: str, code: str) -> None:
        self.failed_codes[code] += 1
        if len(self.failed_ids) < MAX_FAILURES:
            self.failed_ids.append(request_id)

    def _add_bad_row(self, request_id: str, origin: Origin) -> None:
        is_document = not origin.line
        if is_document and len(self.bad_documents) < MAX_FAILURES:
            self.bad_documents[request_id] = origin.path

    @property
    def sends_all(self) -> bool:
        """Whether every request of the job is new and to be sent."""
        return self.states[State.NEW] == self.total and not self.left_out

    def marks(self, target: str) -> Container[int] | None:
        """Return the drafts from which something is to be sent; ``None`` if all have to be examined."""
        return None if self.repeats else self._marks[target]

    def expected(self, target: str) -> Expected:
        """Return the requests to be sent to the target, as they were when the plan was made."""
        if target not in self._expected:
            self._expected[target] = Expected(keeps_ids=self.of_documents)
        return self._expected[target]

    @property
    def total(self) -> int:
        """All requests of the job."""
        return self.states.total()

    @property
    def to_do(self) -> int:
        """Requests for which this run writes a result, if it comes to its end."""
        return self.to_send.total() + self.to_refuse

    @property
    def settled(self) -> int:
        """Requests that need nothing more; those that are only ``left_out`` do."""
        return self.total - self.to_do - self.left_out.total()

    @property
    def failed(self) -> int:
        """Requests whose latest line is a failure of what the job asks now."""
        return self.states[State.FAILED] + self.states[State.GIVEN_UP]

    @property
    def pending(self) -> int:
        """Requests that have neither a result nor a failure of what the job asks now."""
        return self.states[State.NEW] + self.states[State.CHANGED]

    def orphans(self, lines: int) -> int:
        """Return how many of ``lines`` different requests the job does not have."""
        return lines - (self.total - self.states[State.NEW] - self.only_elsewhere)

    @property
    def given_up(self) -> int:
        """Failed requests that this run skips."""
        return 0 if State.GIVEN_UP in self.selection.states else self.states[State.GIVEN_UP]


def open_source(job: JobFile) -> JobSource:
    """Open the job's requests. The embedded engine and its weights are a part of their identity."""
    identities = {model.id: identity(model.engine) for model in job.models if model.engine}
    return JobSource(job, identities)


def make_plan(
    source: JobSource,
    known: Callable[[str], Known | None],
    selection: Selection = UNLIMITED,
) -> Plan:
    """Scan the whole job once; ``known`` returns what the output holds of an id.

    Raises ``JobFileError`` with all errors in the job's inputs.
    """
    plan = Plan(selection, of_documents=source.of_documents)
    check(source, lambda request, origin: plan.count(request, origin, known(request.id)))
    plan.repeats = plan.repeats or source.has_repeats
    return plan


async def make_plan_in_thread(
    source: JobSource,
    known: Callable[[str], Known | None],
    selection: Selection = UNLIMITED,
) -> Plan:
    """Run ``make_plan`` in a thread; a cancellation ends it at the next request.

    ``known`` is called in the thread. Raises ``JobFileError`` with all errors in the job's inputs.
    """
    is_cancelled = threading.Event()

    def known_unless_cancelled(request_id: str) -> Known | None:
        if is_cancelled.is_set():
            raise _PlanCancelledError
        return known(request_id)

    try:
        return await anyio.to_thread.run_sync(
            make_plan, source, known_unless_cancelled, selection, abandon_on_cancel=True
        )
    finally:
        is_cancelled.set()


class _PlanCancelledError(Exception):
    """The plan is no longer needed. It ends the thread, and no caller sees it."""
