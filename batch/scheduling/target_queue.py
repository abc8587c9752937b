"""The queue of one target: the requests that are sent to its endpoints.

A request is sent when an endpoint accepts requests (``CircuitBreaker``), has a free slot
(``ConcurrencyLimiter``), and the quotas allow it (``Admission``). The ``Backlog`` chooses the next request.
For an endpoint in doubt, a check is sent first: a request that is known to work. Its outcome shows whether
the endpoint or the requests cause the failures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batch.failure_codes import is_unwanted_answer
from batch.records import Reply
from batch.scheduling.admission import UnlimitedAdmission
from batch.scheduling.backlog import Backlog
from batch.scheduling.circuit_breaker import CircuitBreaker
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.endpoint_pool import EndpointPool
from batch.scheduling.known_good_requests import References
from batch.scheduling.step_executor import StepExecutor
from batch.scheduling.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batch.records import Outcome, Request
    from batch.scheduling.admission import Admission
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from batch.scheduling.decisions import Decision
    from batch.scheduling.known_good_requests import Candidates
    from batch.scheduling.retry import Parking, RetryPolicy

MIN_AHEAD, MAX_AHEAD = 64, 1024
"""Bounds of ``look_ahead``: enough work at low concurrency, bounded memory at high concurrency."""

ROUNDS_AHEAD = 4
"""``look_ahead`` in multiples of the limit, between the bounds: enough if a third of quick attempts fail."""


def look_ahead(limit: int) -> int:
    """Return how many requests may wait beyond ``limit`` before no new requests are read."""
    return min(max(MIN_AHEAD, ROUNDS_AHEAD * limit), MAX_AHEAD)


class TargetQueue:
    """The queue of one target. Every method takes the time in seconds; none reads a clock.

    ``requests`` are described in ``Backlog``; ``candidates`` are the requests that are sent first. ``limit``
    is the user's concurrency limit; ``limiter`` makes the limiter of each endpoint from it. ``endpoints`` are
    names; by default there is one endpoint with the queue's name. ``reference`` is a request that an earlier
    run has sent successfully.
    """

    def __init__(  # noqa: PLR0913 - what may be left out says what a plain queue is
        self,
        name: str,
        requests: Iterator[Request | None],
        *,
        limit: int,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
        limiter: Callable[[int], ConcurrencyLimiter] = FixedLimiter,
        admission: Admission | None = None,
        endpoints: Sequence[str] = (),
        candidates: Candidates | None = None,
        reference: Request | None = None,
    ) -> None:
        self.name = name
        self.in_flight = 0
        self.checks = 0
        self._references = References(reference)
        self.pool = EndpointPool(
            CircuitBreaker(
                each,
                limit=limit,
                limiter=limiter(limit),
                policy=policy,
                outage=outage,
                random=random,
                references=self._references,
            )
            for each in endpoints or (name,)
        )
        first, others = (None, ()) if candidates is None else (candidates.first, candidates.others)
        self._backlog = Backlog(requests, first, others, limit, self._begin)
        self._limit = limit
        self._look_ahead = look_ahead(limit)
        self._admission: Admission = admission or UnlimitedAdmission()
        self._executor = StepExecutor(
            self.pool, self._backlog, self._admission, self._references, policy, random
        )
        self._head: Task | None = None
        self._head_at = 0.0

    @property
    def waiting(self) -> int:
        """Number of failed requests that wait for a retry or for a check of their endpoint."""
        return self._backlog.waiting + self.pool.suspects

    @property
    def behind(self) -> bool:
        """Whether the last read passed rows without finding a request."""
        return self._backlog.behind

    @property
    def parking(self) -> Parking | None:
        """Why all endpoints are parked, for a time or for the rest of the run; ``None`` if they are not."""
        return self.pool.parking

    @property
    def blocked(self) -> bool:
        """Whether the request at the head waits until another one settles (``Admission.ready_at``)."""
        return self._head is not None and self._head_at == math.inf

    @property
    def closed(self) -> bool:
        """Whether the admission control reports that a limit of the whole run is reached."""
        return self._admission.closed

    @property
    def is_limited(self) -> bool:
        """Whether the request at the head waits for the admission control."""
        return self._head is not None

    def slots(self, now: float) -> int:
        """Return how many requests may be in flight at once."""
        return min(self._limit, self.pool.slots(now))

    @property
    def over(self) -> bool:
        """Whether this queue sends nothing more in this run."""
        if self.in_flight:
            return False
        if self.pool.stopped:
            return True
        return self._has_only_suspects and not self.pool.suspects

    def take(self, now: float) -> Task | None:
        """Return the next request to send; ``None`` if there is none, no free slot, or a limit forbids it."""
        if self.in_flight >= self._limit:
            return None
        in_doubt = self.pool.is_in_doubt
        is_checked = in_doubt or (self._head is not None and self._head.is_check)
        task = self._check(now) if is_checked else None
        if task is None:
            if not self.pool.is_open(now):
                self._head_at = min(self._head_at, now)  # ask again once an endpoint is available
                return None
            task = self._head or self._backlog.next(
                now,
                may_read=self._may_read(in_doubt=in_doubt),
                is_unproven=in_doubt and self.pool.is_unproven,
            )
        if task is None:
            return None
        self._head_at = self._admission.ready_at(task, now)
        if self._head_at > now:
            self._head = task
            return None
        self._head = None
        return self._send(task, now)

    def read_on(self, now: float) -> bool:
        """Read past rows once if there is a slot for the next request; return whether anything was read."""
        if (
            not self.behind
            or self._head
            or self._backlog.has_ready
            or not self._may_read(in_doubt=self.pool.is_in_doubt)
        ):
            return False
        if self.in_flight >= self._limit or not self.pool.is_open(now):
            return False
        task = self._backlog.read(now)
        if task is not None:
            self._backlog.put_back(task)
        return True

    def due(self, now: float) -> float | None:
        """Return the time at which ``take`` may next return a request; ``None``: not before an outcome."""
        if self.in_flight >= self._limit or self.over:
            return None
        if self._must_review:
            return now
        check = self.pool.check_due(now) if self.pool.is_in_doubt else None
        if check is not None and self._head is not None and self._head.is_check:
            return None if self._head_at == math.inf else max(check, self._head_at)
        endpoint, request = self.pool.due(now), self._next_due(now)
        due = None if endpoint is None or request is None else max(endpoint, request)
        return min((each for each in (due, check) if each is not None), default=None)

    def settle(self, task: Task, outcome: Outcome, now: float) -> list[Decision]:
        """Handle an outcome; return the decisions that follow, about this request and others."""
        self.in_flight -= 1
        if isinstance(outcome, Reply):
            self._backlog.retries.replied(now)
            if not (task.is_check or self._references.are_small):
                self._references.learn(task.request)
        elif is_unwanted_answer(outcome.code):
            self._backlog.retries.replied(now)
        self._admission.settled(task, outcome, now)
        endpoint = self.pool.by_name[task.endpoint]
        steps = endpoint.settled(task, outcome, now)
        decisions = self._executor.execute(steps, now) if steps else []
        return self.pool.settled(endpoint, decisions, now)

    def review(self, now: float) -> list[Decision]:
        """Decide about suspects when no other request is left that could decide about them."""
        if not self._must_review:
            return []
        steps = [step for each in self.pool.endpoints for step in each.nothing_else(now)]
        return self._executor.execute(steps, now)

    # Before an attempt

    def _begin(self, request: Request, now: float) -> Task:
        return Task(request, request, self.name, self.pool.first.name, queued_at=now)

    def _check(self, now: float) -> Task | None:
        """Return the check that an endpoint needs, which is sent before any request of the job."""
        head, endpoint = self._head, None
        if self.pool.is_in_doubt:
            endpoint = next((each for each in self.pool.endpoints if each.wants_check(now)), None)
        if head is not None and head.is_check:
            if endpoint is not None and head.endpoint == endpoint.name:
                return head
            self._head = None
        if endpoint is None:
            return None
        if self._head is not None:
            self._backlog.put_back(self._head, first=True)
            self._head = None
        request = endpoint.reference()
        return Task(request, request, self.name, endpoint.name, queued_at=now, is_check=True)

    def _send(self, task: Task, now: float) -> Task:
        self._admission.reserve(task, now)
        self.in_flight += 1
        task.sent_at = now
        if task.is_check:
            self.checks += 1
            endpoint = self.pool.by_name[task.endpoint]
        else:
            endpoint = self.pool.choose(task, now)
            task.endpoint = endpoint.name
        endpoint.sent(task, now)
        return task

    def _next_due(self, now: float) -> float | None:
        """Return when there is something to send; ``None``: not before a request settles."""
        if self._head is not None and not self._head.is_check:
            return None if self._head_at == math.inf else max(now, self._head_at)
        return self._backlog.next_due(now, may_read=self._may_read(in_doubt=self.pool.is_in_doubt))

    def _may_read(self, *, in_doubt: bool) -> bool:
        """Whether another request may be read: not after a response from another kind of server."""
        if self._backlog.is_exhausted or (in_doubt and self.pool.doubted):
            return False
        waiting = (
            self._backlog.waiting + self.pool.suspects
        )  # not ``self.waiting``: this runs for each request
        return waiting + self.in_flight < self._limit + self._look_ahead

    @property
    def _has_only_suspects(self) -> bool:
        head = self._head is not None and not self._head.is_check
        return self._backlog.is_empty and not head

    @property
    def _must_review(self) -> bool:
        return (
            self.pool.suspects > 0
            and not self.in_flight
            and self.pool.may_be_reviewed
            and (self._has_only_suspects or self._is_full_of_suspects)
        )

    @property
    def _is_full_of_suspects(self) -> bool:
        return self.pool.suspects >= self._limit + self._look_ahead
