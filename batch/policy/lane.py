"""One endpoint's lane: its requests, its slots, and whether it is fit to be asked.

A lane is *unproven* until the endpoint has given an answer that only a working one gives; so long one
request, the pilot, goes alone. It is *out* while the endpoint seems to be down: then one probe at a time
goes through, and neither the failures that showed the outage nor the probes are charged to a request. It
is *held* when asking on makes no sense, for a time or for the whole run.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from batch.policy.retry import (
    EXIT_OUT,
    Fail,
    Hold,
    Retry,
    RetryPolicy,
    backoff,
    decide,
    shows_a_working_endpoint,
    shows_an_outage,
    speaks_of_another_server,
)
from batch.records import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.records import Failure, Mishap, Outcome, Request

OUTAGE_STREAK = 10
"""Requests in a row that must fail on the server's side before the endpoint counts as out."""

REFUSED_STREAK = 2
"""The same for connections that are refused: one alone among successes is nothing."""

PROBE_PAUSE = 0.1
"""Seconds between two probes, at the least."""

LOOK_AHEAD = 64
"""Retries that may wait beyond the slots before new requests are held back."""


class Work(Struct, eq=False):
    """A request on its way.

    ``failures`` are the codes of the attempts that were charged to it; ``attempts`` counts all that were
    made, ``history`` tells of those that failed, ``partial_text`` is the longest text that one left.
    """

    request: Request
    lane: Lane
    queued_at: float
    failures: list[str] = []
    attempts: int = 0
    history: list[Mishap] = []
    partial_text: str | None = None


class Again(Struct, frozen=True):
    """The request goes back to its lane, uncharged: the endpoint was to blame."""


class Out(Struct, frozen=True):
    """The endpoint is out from now on; it is probed until it answers, or until ``until``."""

    code: str
    why: str
    until: float


Settlement: TypeAlias = Retry | Fail | Hold | Out | Again | None
"""What becomes of a request after an attempt; ``None`` where it has its reply."""


class Lane:
    """The state machine of one endpoint. Every method takes the time in seconds; none asks for it."""

    def __init__(
        self,
        name: str,
        requests: Iterator[Request],
        *,
        limit: int,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
    ) -> None:
        self.name = name
        self.held: Hold | None = None
        self.in_flight = 0
        self.proven = False
        self.out_since: float | None = None
        self._requests = requests
        self._exhausted = False
        self._limit = self._ceiling = limit
        self._policy = policy
        self._outage = outage
        self._random = random
        self._ready: deque[Work] = deque()
        self._waiting: list[tuple[float, int, Work]] = []
        self._order = itertools.count()
        self._probe_at = 0.0
        self._probes = 0
        self._probe: Work | None = None
        self._doubted = False
        self._streak: list[Work] = []

    @property
    def waiting(self) -> int:
        """Requests that have failed and wait for their next attempt."""
        return len(self._waiting)

    @property
    def over(self) -> bool:
        """Whether nothing can come from here any more in this run."""
        if self.in_flight:
            return False
        stopped = self.held is not None and self.held.until is None
        return stopped or (self._exhausted and not self._ready and not self._waiting)

    def take(self, now: float) -> Work | None:
        """The next request to send, if there is one, a slot for it, and a reason to hope."""
        if not self._open(now):
            return None
        if self._waiting and self._waiting[0][0] <= now:
            work = heapq.heappop(self._waiting)[2]
        elif self._ready:
            work = self._ready.popleft()
        else:
            fresh = self._next_request(now)
            if fresh is None:
                return None
            work = fresh
        self.in_flight += 1
        if self.out_since is not None:
            self._probe = work
        return work

    def due(self, now: float) -> float | None:
        """When a look at this lane may find something that it does not find now, other than by an outcome."""
        if self.over:
            return None
        if self.held is not None and self.held.until is not None:
            return max(now, self.held.until)
        if self.in_flight >= self._slots():
            return None
        soonest = now if self.out_since is None else max(now, self._probe_at)
        if self._ready or self._may_read():
            return soonest
        return max(soonest, self._waiting[0][0]) if self._waiting else None

    def settle(self, work: Work, outcome: Outcome, now: float) -> Settlement:
        """Take an outcome in. ``None``: it is a reply. ``Hold`` is said once, when the endpoint is parked."""
        self.in_flight -= 1
        if isinstance(outcome, Reply):
            self._worked()
            return None
        self._doubted = not self.proven and speaks_of_another_server(outcome)
        if outcome.code == "fd_limit":
            return self._with_fewer_connections(work, now)
        if shows_an_outage(outcome):
            if self.out_since is not None or self._completes_streak(work, outcome):
                return self._go_on_probing(work, outcome, now)
        else:
            self._streak.clear()
            if shows_a_working_endpoint(outcome):
                self._reopen()
        return self._decide(work, outcome, now)

    def _decide(self, work: Work, failure: Failure, now: float) -> Settlement:
        decision = decide(self._policy, failure, now, self._random, earlier=work.failures, proven=self.proven)
        if isinstance(decision, Hold) and decision.until is None:
            self._ready.appendleft(work)
            return self._hold(decision)
        work.failures.append(failure.code)
        if isinstance(decision, Fail):
            return self._give_up(decision, failure)
        if isinstance(decision, Retry):
            self._wait(work, decision.at)
            return decision
        self._wait(work, decision.until or now)
        return self._hold(decision)

    def _give_up(self, decision: Fail, failure: Failure) -> Fail:
        """The request has failed; if what answered the pilot is no chat server, the others are spared that.

        Another run may have the right address, so nothing is held against the pilot either.
        """
        if self.proven or not speaks_of_another_server(failure):
            return decision
        self.held = Hold(failure.code, f"this is no chat server: {failure.message}")
        return Fail(decision.code, retryable=True)

    def _open(self, now: float) -> bool:
        if self.held is not None:
            if self.held.until is None or now < self.held.until:
                return False
            self.held = None
        if self.out_since is not None and now < self._probe_at:
            return False
        return self.in_flight < self._slots()

    def _slots(self) -> int:
        return self._ceiling if self.proven and self.out_since is None else 1

    def _next_request(self, now: float) -> Work | None:
        if not self._may_read():
            return None
        request = next(self._requests, None)
        if request is None:
            self._exhausted = True
            return None
        return Work(request, self, queued_at=now)

    def _may_read(self) -> bool:
        """Whether there is room for another request; none follows a pilot that met something strange."""
        if self._exhausted or (self._doubted and not self.proven):
            return False
        return len(self._waiting) + self.in_flight < self._limit + LOOK_AHEAD

    def _wait(self, work: Work, due: float) -> None:
        heapq.heappush(self._waiting, (due, next(self._order), work))

    def _hold(self, hold: Hold) -> Hold | Again:
        """Park the lane; a hold that changes nothing for a person to know is not said again."""
        before = self.held
        if before is None or hold.until is None:
            self.held = hold
        elif before.until is not None:
            self.held = replace(before, until=max(before.until, hold.until))
        return hold if before is None or (before.until is not None and hold.until is None) else Again()

    def _worked(self) -> None:
        """A success: the endpoint is proven, and a narrowed lane widens by one; from one after an outage."""
        if self.out_since is None:
            self._ceiling = min(self._limit, self._ceiling + 1)
        self._reopen()
        self._streak.clear()

    def _reopen(self) -> None:
        """The endpoint answers: after an outage its lane starts again from one slot."""
        self.proven = True
        if self.out_since is not None:
            self.out_since = None
            self._ceiling = 1
            self._probes = 0

    def _with_fewer_connections(self, work: Work, now: float) -> Retry:
        """Our own descriptors ran out: what is under way is what this machine can bear."""
        self._ceiling = max(1, self.in_flight)
        at = now + self._policy.base
        self._wait(work, at)
        return Retry(at)

    def _completes_streak(self, work: Work, failure: Failure) -> bool:
        """Count a failure that speaks for an outage, and say whether that leaves no doubt."""
        self._streak.append(work)
        requests = len({work.request.id for work in self._streak})
        if failure.code != "connect":
            return requests >= OUTAGE_STREAK
        return self.proven and (not self.in_flight or requests >= REFUSED_STREAK)

    def _go_on_probing(self, work: Work, failure: Failure, now: float) -> Settlement:
        """The endpoint is out, or still is: the request waits with the others, and costs nothing."""
        self._ready.append(work)
        if self.out_since is None:
            self._go_out(now)
            self._probe_later(now)
            return Out(failure.code, failure.message, now + self._outage)
        if work is not self._probe:
            return Again()
        if now - self.out_since >= self._outage:
            return self._hold(Hold(failure.code, failure.message, exit_code=EXIT_OUT))
        self._probe_later(now)
        return Again()

    def _probe_later(self, now: float) -> None:
        self._probe_at = now + max(PROBE_PAUSE, backoff(self._policy, self._probes, self._random))
        self._probes += 1

    def _go_out(self, now: float) -> None:
        """Take back what the streak was charged; the last of it has not been charged yet."""
        self.out_since = now
        for work in self._streak[:-1]:
            work.failures.pop()
        self._streak.clear()
