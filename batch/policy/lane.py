"""The lane of one target: its requests on their way to its endpoint.

What is to be sent next comes from three places: retries that are due, requests that went back uncharged,
and the target's own cursor over the job. It goes when an endpoint is fit to be asked (``Health``) and has a
slot free (``Capacity``), the limits allow it (``Gate``), and if it is a retry, somebody has paid for it
(``RetryBudget``).
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from typing import TYPE_CHECKING

from batch.policy.capacity import FixedCapacity
from batch.policy.gate import OpenGate
from batch.policy.health import Health
from batch.policy.pool import Pool, no_chat_server
from batch.policy.retry import ANSWERED, Fail, Hold, Retry, RetryPolicy, decide, speaks_of_another_server
from batch.policy.retry_budget import RetryBudget
from batch.policy.work import Work
from batch.records import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from batch.policy.capacity import Capacity
    from batch.policy.gate import Gate
    from batch.policy.work import Settlement
    from batch.records import Failure, Outcome, Request

LEAST_AHEAD, MOST_AHEAD = 64, 1024
"""Bounds of ``look_ahead``: work for a narrow lane, and the memory of a wide one."""

ROUNDS_AHEAD = 4
"""The same in rounds of slots, between the bounds: enough where a third of quick attempts fail."""


def look_ahead(limit: int) -> int:
    """Retries that may wait beyond ``limit`` slots before new requests are held back."""
    return min(max(LEAST_AHEAD, ROUNDS_AHEAD * limit), MOST_AHEAD)


class Lane:
    """The queue of one target. Every method takes the time in seconds; none asks for it.

    ``requests`` may give ``None``: it has read past some rows, has found nothing yet, and lets others go
    on meanwhile. The lane is ``behind`` then, until ``read_on`` has given it turns enough. ``limit`` is the
    user's bound on what is under way, from which ``capacity`` makes the controller of each endpoint.
    ``endpoints`` are names; by default there is one, called as the lane.
    """

    def __init__(  # noqa: PLR0913 - what may be left out says what a plain lane is
        self,
        name: str,
        requests: Iterator[Request | None],
        *,
        limit: int,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
        capacity: Callable[[int], Capacity] = FixedCapacity,
        gate: Gate | None = None,
        endpoints: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.in_flight = 0
        self.pool = Pool(
            Health(each, limit=limit, capacity=capacity(limit), policy=policy, outage=outage, random=random)
            for each in endpoints or (name,)
        )
        self._requests = requests
        self.behind = False
        self._exhausted = False
        self._limit = limit
        self._look_ahead = look_ahead(limit)
        self._policy = policy
        self._random = random
        self._gate: Gate = gate or OpenGate()
        self._retries = RetryBudget(limit)
        self._head: Work | None = None
        self._head_at = 0.0
        self._ready: deque[Work] = deque()
        self._waiting: list[tuple[float, int, Work]] = []
        self._order = itertools.count()

    @property
    def waiting(self) -> int:
        """Requests that have failed and wait for their next attempt."""
        return len(self._waiting)

    @property
    def held(self) -> Hold | None:
        """Why nothing is sent, where that makes no sense; for a time, or in this run."""
        return self.pool.held

    @property
    def blocked(self) -> bool:
        """Whether the request at the head can only go once something has settled (see ``Gate.ready_at``)."""
        return self._head is not None and self._head_at == math.inf

    @property
    def closed(self) -> bool:
        """Whether a limit of the whole run is reached, by what the gate knows."""
        return self._gate.closed

    @property
    def is_limited(self) -> bool:
        """Whether the request at the head waits for the gate."""
        return self._head is not None

    def slots(self, now: float) -> int:
        """How many may be under way at once."""
        return min(self._limit, self.pool.slots(now))

    @property
    def over(self) -> bool:
        """Whether nothing can come from here any more in this run."""
        if self.in_flight:
            return False
        if self.pool.stopped:
            return True
        return self._exhausted and self._head is None and not self._ready and not self._waiting

    def take(self, now: float) -> Work | None:
        """The next request to send, if there is one, a slot for it, and no limit against it."""
        if not self._has_slot(now):
            self._head_at = min(self._head_at, now)  # to be asked again, once there is somebody to send it to
            return None
        work = self._head or self._next(now)
        if work is None:
            return None
        self._head_at = self._gate.ready_at(work, now)
        if self._head_at > now:
            self._head = work
            return None
        self._head = None
        return self._send(work, now)

    def read_on(self, now: float) -> bool:
        """Go on reading past rows, once, where there is a slot for what comes after them; say whether."""
        if not self.behind or self._head or self._ready or not self._may_read():
            return False
        if not self._has_slot(now):
            return False
        work = self._read(now)
        if work is not None:
            self._ready.append(work)
        return True

    def due(self, now: float) -> float | None:
        """When a look at this lane may find something that it does not find now, other than by an outcome."""
        if self.in_flight >= self._limit or self.over:
            return None
        soonest, wished = self.pool.due(now), self._wished(now)
        return None if soonest is None or wished is None else max(soonest, wished)

    def settle(self, work: Work, outcome: Outcome, now: float) -> Settlement:
        """Take an outcome in. ``None``: it is a reply. ``Hold`` is said once, when an endpoint is parked."""
        self.in_flight -= 1
        settlement: Settlement = None
        if isinstance(outcome, Reply):
            work.endpoint.worked(work, outcome, now)
            self._retries.replied()
        else:
            if outcome.code in ANSWERED:
                self._retries.replied()
            settlement = self._settle_failure(work, outcome, now)
        settlement = self.pool.settled(work.endpoint, settlement, now)
        self._gate.settled(work, outcome, settlement, now)
        return settlement

    # Before an attempt

    def _send(self, work: Work, now: float) -> Work:
        self._gate.reserve(work, now)
        self.in_flight += 1
        work.sent_at = now
        work.endpoint = self.pool.choose(work, now)
        work.endpoint.sent(work, now)
        return work

    def _has_slot(self, now: float) -> bool:
        return self.in_flight < self._limit and self.pool.is_open(now)

    def _next(self, now: float) -> Work | None:
        if self._waiting and self._waiting[0][0] <= now and self._retries.spend(now):
            return heapq.heappop(self._waiting)[2]
        if self._ready:
            return self._ready.popleft()
        return None if self.behind or not self._may_read() else self._read(now)

    def _wished(self, now: float) -> float | None:
        """When there is something to send; ``None``: not as long as nothing settles."""
        if self._head is not None:
            return None if self._head_at == math.inf else max(now, self._head_at)
        if self._ready or self._may_read():
            return now
        return max(self._retries.ready_at(now), self._waiting[0][0]) if self._waiting else None

    def _read(self, now: float) -> Work | None:
        for request in self._requests:
            self.behind = request is None
            return None if request is None else Work(request, self, self.pool.first, queued_at=now)
        self._exhausted = True
        return None

    def _may_read(self) -> bool:
        """Whether there is room for another request; none follows a pilot that met something strange."""
        if self._exhausted or self.pool.doubted:
            return False
        return len(self._waiting) + self.in_flight < self._limit + self._look_ahead

    # After an attempt

    def _settle_failure(self, work: Work, failure: Failure, now: float) -> Settlement:
        verdict = work.endpoint.failed(work, failure, now)
        if verdict is None:
            hold = self.pool.gives_up(work.endpoint, failure)
            return self._decide(work, failure, now) if hold is None else self._hold(work, hold)
        if isinstance(verdict, Retry):
            self._wait(work, verdict.at)
        else:
            self._ready.append(work)
        return verdict

    def _decide(self, work: Work, failure: Failure, now: float) -> Settlement:
        proven = work.endpoint.proven
        decision = decide(self._policy, failure, now, self._random, earlier=work.failures, proven=proven)
        if isinstance(decision, Hold) and decision.until is None:
            return self._hold(work, decision)
        work.failures.append(failure.code)
        if isinstance(decision, Fail):
            return self._give_up(work, decision, failure)
        if isinstance(decision, Retry):
            self._wait(work, decision.at)
            return decision
        self._wait(work, now)  # it is the endpoint that waits; another one may serve the request
        return work.endpoint.hold(decision)

    def _hold(self, work: Work, hold: Hold) -> Settlement:
        self._ready.appendleft(work)
        return work.endpoint.hold(hold)

    def _give_up(self, work: Work, decision: Fail, failure: Failure) -> Fail:
        """The request has failed; if what answered the pilot is no chat server, the others are spared that.

        Another run may have the right address, so nothing is held against the pilot either.
        """
        if work.endpoint.proven or not speaks_of_another_server(failure):
            return decision
        work.endpoint.hold(no_chat_server(failure))
        return Fail(decision.code, retryable=True)

    def _wait(self, work: Work, due: float) -> None:
        heapq.heappush(self._waiting, (due, next(self._order), work))
