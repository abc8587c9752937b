"""The circuit breaker of one endpoint: whether it accepts requests, and what causes failed attempts.

The rules and the states are in ``circuit_states``, the data in ``endpoint_state``. The caller carries out the
returned steps. Every method takes the time in seconds; none reads a clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.records import Reply
from batch.scheduling.check_judgement import judge_check
from batch.scheduling.circuit_states import Change, State
from batch.scheduling.decisions import CircuitClosed
from batch.scheduling.endpoint_state import EndpointState
from batch.scheduling.failure_judgement import judge_failure
from batch.scheduling.fault_attribution import Kind, is_proof
from batch.scheduling.outages import PROBE_PAUSE, give_another_chance, park, parking_for
from batch.scheduling.trials import Trial, begin_check, is_free, next_trial, trial_due, trial_kind

if TYPE_CHECKING:
    from batch.records import Outcome, Request
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.retry import Parking
    from batch.scheduling.task import Task

__all__ = ["PROBE_PAUSE", "CircuitBreaker", "State"]

MAX_PATIENCE = 128
CALM_ANSWERS = 100
"""Number of answers after which a check again follows a small number of suspects."""


class CircuitBreaker(EndpointState):
    """The circuit of one endpoint: its data, its queries and its events."""

    @property
    def doubted(self) -> bool:
        """Whether another kind of server answered the first request: nothing else is sent for now."""
        return self.is_other_server and not (self.proven or self.stopped or self.has_second_chance)

    @property
    def may_be_reviewed(self) -> bool:
        """Whether suspects wait, but no check or probe will decide about them."""
        is_checked = self.circuit is State.HALF_OPEN and bool(self.references)
        return bool(self.suspects.waiting) and self.parking is None and not is_checked

    def slots(self, now: float) -> int:
        """Return how many requests may be in flight."""
        if self.is_in_doubt:
            return 1
        return min(self.ceiling, self.limiter.slots(now))

    def is_open(self, now: float) -> bool:
        """Whether a request of the job may be sent now; ends a pause that has expired."""
        if self.parking is not None and not is_free(self, now):
            return False
        if not self.is_in_doubt:
            has_slot = self.in_flight < self.ceiling and self.in_flight < self.limiter.slots(now)
            return has_slot and now >= self.rate_limit.closed_until
        return is_free(self, now) and next_trial(self, now) is Trial.REQUEST

    def wants_check(self, now: float) -> bool:
        """Whether a reference request has to be sent now."""
        if not self.is_in_doubt or not is_free(self, now):
            return False
        return next_trial(self, now) is Trial.CHECK

    def reference(self) -> Request:
        """Return the request for a check."""
        return self.references.next() if self.failed_checks or self.probes else self.references.first()

    def due(self, now: float) -> float | None:
        """Return when a request may be sent if no outcome arrives before; ``None``: only after an outcome."""
        if self.parking is None and not self.is_in_doubt:
            soonest = max(now, self.rate_limit.closed_until)
            return None if self.in_flight >= self.slots(now) else soonest
        return trial_due(self, now) if trial_kind(self) is Trial.REQUEST or self.parking else None

    def check_due(self, now: float) -> float | None:
        """Return when a check may be sent; ``None``: only after an outcome."""
        if not self.is_in_doubt or trial_kind(self) is Trial.REQUEST:
            return None
        return trial_due(self, now)

    # Events

    def sent(self, task: Task, now: float) -> None:
        """Record that an attempt begins."""
        self.in_flight += 1
        self.turn += 1
        task.turn = self.turn
        self.limiter.sent(now)
        self.rate_limit.sent(now)
        if self.is_in_doubt:
            self.trial = task
            self.probation.is_checked = self.probation.is_checked or task.is_check

    def settled(self, task: Task, outcome: Outcome, now: float) -> list[Step]:
        """Handle an outcome; return the steps to carry out, in this order."""
        self.limiter.settled(outcome, started=task.sent_at, now=now, in_flight=self.in_flight)
        if outcome.rate is not None:
            self.rate_limit.report(outcome.rate, now=now, in_flight=self.in_flight)
        self.in_flight -= 1
        is_trial = task is self.trial
        if is_trial:
            self.trial = None
        if isinstance(outcome, Reply):
            return self._answered(task, now)
        proves = is_proof(outcome)
        steps = self._answered(task, now) if proves else []
        if task.is_check:
            return steps if proves else judge_check(self, outcome, now)
        return steps + judge_failure(self, task, outcome, now, is_trial=is_trial)

    def nothing_else(self, now: float) -> list[Step]:
        """Decide about the suspects now: only they are left to send."""
        if not self.may_be_reviewed:
            return []
        if self.references and not self.is_in_doubt and not self.suspects.were_charged_before:
            return begin_check(self, now)
        denied = self.suspects.first(Kind.DENIED)
        if denied is not None and self.circuit is State.UNPROVEN:
            return park(self, parking_for(denied))
        if self.circuit is State.HALF_OPEN:
            self.enter(Change.NO_CHECK_POSSIBLE)
        return self.suspects.charge_all()

    def park(self, parking: Parking) -> list[Step]:
        """Park the endpoint, for a time or for the run, and release the suspects; reported once."""
        return park(self, parking)

    def give_another_chance(self, now: float) -> None:
        """Probe an endpoint that was parked because of its first request, not because of an outage."""
        give_another_chance(self, now)

    # Proof

    def _answered(self, task: Task, now: float) -> list[Step]:
        self.proven = True
        self.refusals.answered_at = now
        if self.refusals.are_ongoing:
            self.refusals.end()
        self.answers += 1
        if self.patience > 1 and self.answers >= CALM_ANSWERS:
            self.patience = 1
        if not task.is_check and task.turn > self.opened_turn:
            self.down_since = None
        if not self.is_in_doubt:
            self.ceiling = min(self.limit, self.ceiling + 1)
            return self.suspects.charge(self.name, task.turn) if self.suspects.waiting else []
        return self._closed(task)

    def _closed(self, task: Task) -> list[Step]:
        """Close the circuit if the attempt was sent after it had opened, or is the check."""
        if self.circuit is State.OPEN and task.turn <= self.opened_turn:
            return []
        steps = self.suspects.charge(self.name, task.turn)
        if self.circuit is State.HALF_OPEN and not task.is_check:
            if self.suspects.waiting or self.trial is not None:
                return steps
        elif self.circuit is State.HALF_OPEN:
            self.patience = min(MAX_PATIENCE, 2 * self.patience)
            self.answers = 0
        elif self.circuit is State.OPEN:
            self.ceiling = 1
            steps.insert(0, CircuitClosed(self.name))
        self.enter(Change.PROOF)
        self.has_second_chance = False
        self.probes = self.failed_checks = 0
        self.probation.clear()
        return steps
