"""Whether one endpoint may be sent to, and whose fault it is where attempts fail.

Documents must never stop other documents, in this run or the next. A real outage, a revoked key and an empty
account must cost a handful of requests. The rules, which ``docs/faults.md`` has in full:

1. A failure is suspect where either the request or the endpoint may have caused it (``blame.SUSPECT``).
2. Proof is a first delta or a whole answer of an attempt that was sent after the failure had arrived.
3. On an endpoint that has given proof, suspects wait, uncharged, while sending continues. Proof charges them.
4. After ``5 k`` suspects without proof, or where nothing else is left, a check decides: a reference request.
   ``k`` doubles with each check that is answered, up to 128, and is 1 again after 100 answers. Where the only
   requests left were charged with the same before, they are charged again: a check would double their bill.
5. A check that is answered charges the suspects. A check that fails as they did parks the endpoint (401, 402,
   403) or opens the circuit, and the suspects go back uncharged. A 429 is waited for; after three other
   failures the endpoint is parked.
6. While the circuit is open, one probe at a time is sent, with backoff: a reference request, or while none is
   known, each time another request. ``outage`` later the endpoint is parked.
7. Until an endpoint has given proof, one request at a time is sent: two server errors open the circuit, five
   equal rejections or eight requests without proof park it.
8. A refusal (429, or 503 with a ``Retry-After``) is not charged. A request fails by it only after
   ``max_attempts`` refusals and ``outage`` seconds, with others answered since.

::

    state       event                                      next
    UNPROVEN    proof                                      CLOSED
    UNPROVEN    two server errors                          OPEN
    UNPROVEN    5 equal rejections, 8 without proof        PARKED
    CLOSED      5 k suspects, or only suspects left        HALF_OPEN
    CLOSED      connections refused, none in flight        OPEN
    HALF_OPEN   the check is answered                      CLOSED
    HALF_OPEN   the check: 5xx, timeout, no connection     OPEN
    HALF_OPEN   the check: 401, 402, 403, three others     PARKED
    OPEN        a probe is answered                        CLOSED
    OPEN        a probe: 401, 402, 403, or ``outage``      PARKED
    any         a wrong key, a used-up quota, ...          PARKED

The caller carries out the returned steps. Every method takes the time in seconds; none asks for it.
"""

from __future__ import annotations

import math
from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.exit_codes import EXIT_OUT
from batch.failure_codes import FD_LIMIT, parks
from batch.records import Reply
from batch.scheduling.breaker_steps import Charge, Delay, Exhaust, Hang, Release
from batch.scheduling.decisions import CheckStarted, CircuitClosed, CircuitOpened, Park
from batch.scheduling.fault_attribution import SUSPECT, Kind, is_proof, kind_of
from batch.scheduling.probation import Probation, Verdict
from batch.scheduling.retry import (
    Parking,
    RetryPolicy,
    backoff,
    has_begun,
    not_before,
    speaks_of_another_server,
    status_of,
    wait,
)
from batch.scheduling.server_rate_limit import ServerRateLimit
from batch.scheduling.suspects import Suspect, Suspects
from batch.scheduling.throttling import Throttling

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Failure, Outcome, Request
    from batch.scheduling.breaker_steps import Step
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from batch.scheduling.reference_requests import References
    from batch.scheduling.task import Task

SUSPECTS = 5
"""Requests that may fail without proof before a check."""

MOST_DOUBLE = 128
CALM = 100
"""Answers after which the number of suspects before a check is small again."""

REFUSED_CONNECTIONS = 2
"""One refused connection among answers says nothing."""

CHECKS = 3
"""Checks that may fail for reasons of their own."""

PROBE_PAUSE = 0.1
"""Seconds between two probes, at the least."""


class State(Enum):
    """The state of an endpoint's circuit; see the table above."""

    UNPROVEN = auto()
    CLOSED = auto()
    HALF_OPEN = auto()
    OPEN = auto()
    PARKED = auto()


class Trial(Enum):
    """What may be sent to an endpoint that is not known to work: a reference request, or one of the job's."""

    CHECK = auto()
    REQUEST = auto()


class CircuitBreaker:
    """The circuit of one endpoint. ``limit`` bounds what ``limiter`` allows."""

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        limiter: ConcurrencyLimiter,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
        references: References,
    ) -> None:
        self.name = name
        self.in_flight = 0
        self.parking: Parking | None = None
        self.open_code = ""
        self.is_in_doubt = True  # as long as the circuit is not closed
        self._state = State.UNPROVEN
        self._limit = self._ceiling = limit
        self._limiter = limiter
        self._announced = ServerRateLimit()
        self._policy = policy
        self._outage = outage
        self._random = random
        self._references = references
        self._turn = 0  # counts sends and suspects, to tell which came first
        self.suspects = Suspects()
        self._probation = Probation()
        self._refusals = Throttling(policy.max_attempts, outage)
        self._trial: Task | None = None  # the check or probe in flight
        self._trial_at = -math.inf
        self._double = 1
        self._answers = 0  # since the last check
        self._failed_checks = 0
        self._probes = 0
        self._opened_turn = 0
        self._down_since: float | None = None
        self.proven = False
        self._is_strange = False
        self._second_chance = False

    # What it says of itself

    @property
    def state(self) -> State:
        """The state now. An endpoint that is parked for a time goes on in the state before."""
        return State.PARKED if self.parking is not None else self._state

    @property
    def limiter(self) -> ConcurrencyLimiter:
        """Its concurrency limit, as far as congestion decides it."""
        return self._limiter

    @property
    def stopped(self) -> bool:
        """Whether nothing more is sent there in this run."""
        return self.parking is not None and self.parking.until is None

    @property
    def opened_at(self) -> float | None:
        """When the outage began; ``None`` while the circuit is not open.

        It goes on where nothing but checks was answered since.
        """
        return self._down_since if self._state is State.OPEN else None

    @property
    def probed_until(self) -> float:
        """When probing ends, while the circuit is open."""
        return math.inf if self.opened_at is None else self.opened_at + self._outage

    @property
    def doubted(self) -> bool:
        """Whether its first request met another kind of server: no other should, until that is cleared up."""
        return self._is_strange and not (self.proven or self.stopped or self._second_chance)

    @property
    def may_be_reviewed(self) -> bool:
        """Whether suspects wait, and for more than a check will bring."""
        is_checked = self._state is State.HALF_OPEN and bool(self._references)
        return bool(self.suspects.waiting) and self.parking is None and not is_checked

    def slots(self, now: float) -> int:
        """How many may be in flight there."""
        if self._state is not State.CLOSED:
            return 1
        return min(self._ceiling, self._limiter.slots(now))

    def is_open(self, now: float) -> bool:
        """Whether one of the job's requests may be sent there now; a pause that is over ends here."""
        if self.parking is not None and not self._is_free(now):
            return False
        if self._state is State.CLOSED:
            has_slot = self.in_flight < self._ceiling and self.in_flight < self._limiter.slots(now)
            return has_slot and now >= self._announced.closed_until
        return self._is_free(now) and self._wished_trial(now) is Trial.REQUEST

    def wants_check(self, now: float) -> bool:
        """Whether a reference request is to be sent there now."""
        if self._state is State.CLOSED or not self._is_free(now):
            return False
        return self._wished_trial(now) is Trial.CHECK

    def reference(self) -> Request:
        """The request to check with."""
        return self._references.next() if self._failed_checks or self._probes else self._references.first()

    def due(self, now: float) -> float | None:
        """When a request may be sent there, if no outcome comes before; ``None``: only an outcome helps."""
        if self._state is State.CLOSED and self.parking is None:
            soonest = max(now, self._announced.closed_until)
            return None if self.in_flight >= self.slots(now) else soonest
        return self._trial_due(now) if self._trial_kind() is Trial.REQUEST or self.parking else None

    def check_due(self, now: float) -> float | None:
        """The same for a check."""
        if self._state is State.CLOSED or self._trial_kind() is Trial.REQUEST:
            return None
        return self._trial_due(now)

    def _trial_due(self, now: float) -> float | None:
        if self.parking is not None:
            return None if self.parking.until is None else max(now, self.parking.until)
        if self._trial is not None or (self._state is State.UNPROVEN and self.in_flight):
            return None
        return max(now, self._announced.closed_until, self._trial_at)

    # What happens

    def sent(self, task: Task, now: float) -> None:
        """An attempt begins there."""
        self.in_flight += 1
        self._turn += 1
        task.turn = self._turn
        self._limiter.sent(now)
        self._announced.sent(now)
        if self._state is not State.CLOSED:
            self._trial = task
            self._probation.is_checked = self._probation.is_checked or task.is_check

    def settled(self, task: Task, outcome: Outcome, now: float) -> list[Step]:
        """Take an outcome in, and return what is to be done, in this order."""
        self._limiter.settled(outcome, started=task.sent_at, now=now, in_flight=self.in_flight)
        if outcome.rate is not None:
            self._announced.told(outcome.rate, now=now, in_flight=self.in_flight)
        self.in_flight -= 1
        is_trial = task is self._trial
        if is_trial:
            self._trial = None
        if isinstance(outcome, Reply):
            return self._answered(task, now)
        proves = is_proof(outcome)
        steps = self._answered(task, now) if proves else []
        if task.is_check:
            return steps if proves else self._check_failed(outcome, now)
        return steps + self._failed(task, outcome, now, is_trial=is_trial)

    def nothing_else(self, now: float) -> list[Step]:
        """Only suspects are left to send: decide about them now."""
        if not self.may_be_reviewed:
            return []
        if self._state is State.CLOSED and self._references and not self.suspects.are_convicted:
            return self._begin_check(now)
        denied = self.suspects.first(Kind.DENIED)
        if denied is not None and self._state is State.UNPROVEN:
            return self.park(_parking_for(denied))
        if self.proven:
            self._enter(State.CLOSED)
        return self.suspects.charge_all()

    def park(self, parking: Parking) -> list[Step]:
        """Send nothing there, for a time or in this run, and let the suspects go; said once."""
        before = self.parking
        steps = self.suspects.release()
        if before is None or parking.until is None:
            self.parking = parking
        elif before.until is not None:
            self.parking = replace(before, until=max(before.until, parking.until))
        if before is None or (before.until is not None and parking.until is None):
            steps.append(Park(self.name, parking.code, parking.why, parking.until))
        return steps

    def give_another_chance(self, now: float) -> None:
        """Probe it after all if it is parked for what its first request met, and not for an outage."""
        if self.parking is None or not self.stopped or self.proven or self._second_chance:
            return
        if not parks(self.parking.code) and self.parking.exit_code != EXIT_OUT:
            self._second_chance = True
            self._open(self.parking.code, now)
            self.parking = None

    # What may be sent

    def _enter(self, state: State) -> None:
        self._state = state
        self.is_in_doubt = state is not State.CLOSED

    def _is_free(self, now: float) -> bool:
        if self.parking is not None:
            if self.parking.until is None or now < self.parking.until:
                return False
            self.parking = None
        return now >= self._announced.closed_until

    def _wished_trial(self, now: float) -> Trial | None:
        if self._trial is not None or now < self._trial_at:
            return None
        if self._state is State.UNPROVEN and self.in_flight:
            return None
        return self._trial_kind()

    def _trial_kind(self) -> Trial:
        if not self._references:
            return Trial.REQUEST
        if self._state is State.UNPROVEN:
            return Trial.CHECK if self._probation.wants_check else Trial.REQUEST
        # A reference that an earlier run has left may be at fault itself: others have their turn, too.
        return Trial.REQUEST if not self.proven and self._probes % 2 else Trial.CHECK

    # Proof

    def _answered(self, task: Task, now: float) -> list[Step]:
        self.proven = True
        self._refusals.answered_at = now
        if self._refusals.are_going_on:
            self._refusals.end()
        self._answers += 1
        if self._double > 1 and self._answers >= CALM:
            self._double = 1
        if not task.is_check and task.turn > self._opened_turn:
            self._down_since = None
        if self._state is State.CLOSED:
            self._ceiling = min(self._limit, self._ceiling + 1)
            return self.suspects.charge(self.name, task.turn) if self.suspects.waiting else []
        return self._closed(task)

    def _closed(self, task: Task) -> list[Step]:
        """Close the circuit, if the attempt was sent after it had opened, or is the check."""
        if self._state is State.OPEN and task.turn <= self._opened_turn:
            return []
        steps = self.suspects.charge(self.name, task.turn)
        if self._state is State.HALF_OPEN and not task.is_check:
            if self.suspects.waiting or self._trial is not None:
                return steps
        elif self._state is State.HALF_OPEN:
            self._double = min(MOST_DOUBLE, 2 * self._double)
            self._answers = 0
        elif self._state is State.OPEN:
            self._ceiling = 1
            steps.insert(0, CircuitClosed(self.name))
        self._enter(State.CLOSED)
        self._second_chance = False
        self._probes = self._failed_checks = 0
        self._probation.clear()
        return steps

    # Failures

    def _failed(self, task: Task, failure: Failure, now: float, *, is_trial: bool) -> list[Step]:
        kind = kind_of(failure)
        self._is_strange = not self.proven and speaks_of_another_server(failure)
        if kind is Kind.REFUSED:
            return self._refused(task, failure, now, is_trial=is_trial)
        if kind is Kind.UNREACHABLE and failure.code == FD_LIMIT and self.in_flight:
            self._ceiling = max(1, self.in_flight)  # what is in flight is what this machine can bear
            return [Delay(task, now + self._policy.base, is_refusal=False)]
        if self._state is State.OPEN:
            return self._failed_while_open(task, failure, kind, now, is_trial=is_trial)
        if self._state is State.UNPROVEN:
            return self._failed_unproven(task, failure, kind, now)
        if kind is Kind.UNREACHABLE or kind in SUSPECT:
            return self._suspected(task, failure, kind, now)
        return [Charge(task, failure, now)]

    def _suspected(self, task: Task, failure: Failure, kind: Kind, now: float) -> list[Step]:
        self._suspect(task, failure, kind, now)
        if kind is Kind.UNREACHABLE:
            refused = self.suspects.count(kind)
            if not self.in_flight or refused >= REFUSED_CONNECTIONS or failure.code == FD_LIMIT:
                return self._opened(failure, now)
        if self._state is State.CLOSED and len(self.suspects.waiting) >= SUSPECTS * self._double:
            return [Hang(task), *self._begin_check(now)]
        return [Hang(task)]

    def _suspect(self, task: Task, failure: Failure, kind: Kind, now: float) -> None:
        self._turn += 1
        self.suspects.add(Suspect(task, failure, kind, now, self._turn))

    def _failed_unproven(self, task: Task, failure: Failure, kind: Kind, now: float) -> list[Step]:
        self._probation.failed(task.request.id, failure, kind)
        if kind is Kind.UNREACHABLE and failure.code == FD_LIMIT:
            self._suspect(task, failure, kind, now)
            return self._opened(failure, now)
        if kind in SUSPECT or kind is Kind.REJECTED:
            self._suspect(task, failure, kind, now)
            return self._judged_unproven(failure, now) or [Hang(task)]
        return [Charge(task, failure, now), *self._judged_unproven(failure, now)]

    def _judged_unproven(self, failure: Failure, now: float) -> list[Step]:
        verdict = self._probation.verdict(self.suspects)
        if verdict is Verdict.OPEN:
            return self._opened(failure, now)
        return self.park(_parking_for(failure)) if verdict is Verdict.PARK else []

    def _failed_while_open(
        self, task: Task, failure: Failure, kind: Kind, now: float, *, is_trial: bool
    ) -> list[Step]:
        if is_trial:
            self._probe_later(now)
        if kind is Kind.PARK:
            return [Charge(task, failure, now)]
        if is_trial and kind is Kind.DENIED and self.proven:
            return [Release(task), *self.park(_parking_for(failure))]
        is_still_open = kind is Kind.UNREACHABLE or kind in SUSPECT or (is_trial and not has_begun(failure))
        if not is_still_open or failure.about_request:
            return [Charge(task, failure, now)]
        return [
            Release(task),
            *(self._probed(failure, now) if is_trial else self._delayed_probe(failure, now)),
        ]

    # Refusals: too many requests

    def _refused(self, task: Task, failure: Failure, now: float, *, is_trial: bool) -> list[Step]:
        self._refusals.refused(task, now)
        if status_of(failure) == 503:
            is_closed = self._refusals.is_closed(task.request.id)
            if is_closed or self._state is not State.CLOSED:
                return self._maintenance(task, failure, now, is_trial=is_trial)
        if self._refusals.last_too_long(now):
            return [Release(task), *self.park(self._unanswered(failure))]
        if self._refusals.exhaust(task, now):
            return [Exhaust(task, failure)]
        verdict = wait(self._policy, failure, task.refusals - 1, now, self._random)
        if isinstance(verdict, Parking):  # it is the endpoint that waits; another one may serve the request
            return [Delay(task, now, is_refusal=True), *self.park(verdict)]
        if self._state is not State.CLOSED:
            self._trial_at = max(self._trial_at, verdict.at)
        return [Delay(task, verdict.at, is_refusal=True)]

    def _unanswered(self, failure: Failure) -> Parking:
        why = f"no request was answered for {self._outage:g} s: {failure.message}"
        return Parking(failure.code, why, exit_code=EXIT_OUT)

    def _maintenance(self, task: Task, failure: Failure, now: float, *, is_trial: bool) -> list[Step]:
        """The server takes nothing for a while: one probe follows when that is over."""
        if self._state is State.OPEN:
            if is_trial:
                self._probe_later(now)
                return [Release(task), *self._probed(failure, now)]
            return [Release(task), *self._delayed_probe(failure, now)]
        return [Release(task), *self._opened(failure, now)]

    # Checks and probes

    def _begin_check(self, now: float) -> list[Step]:
        self._enter(State.HALF_OPEN)
        self._trial_at = now
        self._failed_checks = self._probes = 0
        return [CheckStarted(self.name, len(self.suspects.waiting))]

    def _check_failed(self, failure: Failure, now: float) -> list[Step]:
        """A reference request has failed, which is an attempt of the run and not of a request."""
        kind = kind_of(failure)
        if kind is Kind.PARK or (kind is Kind.DENIED and self.proven):
            return self.park(_parking_for(failure))
        if self._state is State.OPEN:
            self._probe_later(now)
            return self._probed(failure, now)
        if kind is Kind.REFUSED and status_of(failure) != 503:
            return self._check_refused(failure, now)
        if self._state is State.UNPROVEN:
            return self._unproven_check_failed(failure, kind, now)
        return self._decided(failure, kind, now)

    def _decided(self, failure: Failure, kind: Kind, now: float) -> list[Step]:
        """The check speaks against the endpoint, or has failed for a reason of its own."""
        if kind in (Kind.TROUBLE, Kind.UNREACHABLE, Kind.REFUSED):
            return self._opened(failure, now)
        self._failed_checks += 1
        if self._failed_checks < CHECKS:
            return []
        why = f"requests that were answered before are not answered any more: {failure.message}"
        return self.park(Parking(failure.code, why))

    def _unproven_check_failed(self, failure: Failure, kind: Kind, now: float) -> list[Step]:
        if kind is Kind.UNREACHABLE:
            return self.park(_parking_for(failure))
        self._probation.check_failed(failure, kind)
        return self._judged_unproven(failure, now)

    def _check_refused(self, failure: Failure, now: float) -> list[Step]:
        """The check is sent again when the server has time for it."""
        self._probation.is_checked = False
        self._refusals.refused_check(now)
        if self._refusals.last_too_long(now):
            return self.park(self._unanswered(failure))
        verdict = wait(self._policy, failure, self._probes, now, self._random)
        self._probes += 1
        if isinstance(verdict, Parking):
            return self.park(verdict)
        self._trial_at = verdict.at
        return []

    # The open circuit

    def _opened(self, failure: Failure, now: float) -> list[Step]:
        """Open the circuit, and let the suspects go, uncharged."""
        self._open(failure.code, now)
        steps = self.suspects.release()
        parked = self._probed(failure, now)
        opened = CircuitOpened(self.name, failure.code, failure.message, self.probed_until)
        return steps + (parked or [opened])

    def _open(self, code: str, now: float) -> None:
        self._enter(State.OPEN)
        self.open_code = code
        if self._down_since is None:
            self._down_since = now
        self._opened_turn = self._turn
        self._probes = 0
        self._probation.forget_errors()
        self._trial = None
        self._trial_at = -math.inf
        self._probe_later(now)

    def _probe_later(self, now: float) -> None:
        pause = max(PROBE_PAUSE, backoff(self._policy, self._probes, self._random))
        self._trial_at = max(self._trial_at, now + pause)
        self._probes += 1

    def _probed(self, failure: Failure, now: float) -> list[Step]:
        """A probe has failed: go on, unless the outage has lasted too long."""
        if now >= self.probed_until:
            return self.park(Parking(failure.code, failure.message, exit_code=EXIT_OUT))
        return self._delayed_probe(failure, now)

    def _delayed_probe(self, failure: Failure, now: float) -> list[Step]:
        """Probe no earlier than the server says; if that is after the end of probing, not at all."""
        if failure.retry_after is None:
            return []
        if now + failure.retry_after > self.probed_until:
            return self.park(Parking(failure.code, failure.message, exit_code=EXIT_OUT))
        self._trial_at = max(self._trial_at, not_before(failure.retry_after, now, self._random))
        return []


def _parking_for(failure: Failure) -> Parking:
    return Parking(failure.code, failure.message)
