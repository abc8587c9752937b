"""What a target queue does with the requests that its circuit breakers have judged.

A breaker returns steps. Here they are carried out: a request is charged with its failure and waits, fails,
goes back uncharged, or parks its endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.failure_codes import UNKNOWN_FINISH
from batch.scheduling.breaker_steps import Charge, Delay, Exhaust
from batch.scheduling.decisions import Failed, Requeue, RetryAt
from batch.scheduling.endpoint_pool import no_chat_server
from batch.scheduling.fault_attribution import SUSPECT, kind_of
from batch.scheduling.retry import Fail, Parking, Retry, decide, speaks_of_another_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Failure
    from batch.scheduling.admission import Admission
    from batch.scheduling.backlog import Backlog
    from batch.scheduling.breaker_steps import Step
    from batch.scheduling.decisions import Decision
    from batch.scheduling.endpoint_pool import EndpointPool
    from batch.scheduling.reference_requests import References
    from batch.scheduling.retry import RetryPolicy
    from batch.scheduling.task import Task

UNKNOWN_FINISHES = 3
"""Answers with a finish reason that no list has, before the target is parked."""


class StepRunner:
    """Carries out the steps of one queue's breakers. Every method takes the time in seconds."""

    def __init__(
        self,
        backlog: Backlog,
        pool: EndpointPool,
        policy: RetryPolicy,
        random: Callable[[], float],
        admission: Admission,
        references: References,
    ) -> None:
        self._backlog = backlog
        self._pool = pool
        self._policy = policy
        self._random = random
        self._admission = admission
        self._references = references
        self._unknown_finishes = 0

    def carry_out(self, steps: list[Step], now: float) -> list[Decision]:
        """Do what the steps say, in their order; return what is decided by that."""
        decisions: list[Decision] = []
        for step in steps:
            if isinstance(step, Charge):
                decisions += self._charge(step, now)
            elif isinstance(step, Delay):
                decisions.append(self._delay(step))
            elif isinstance(step, Exhaust):
                decisions.append(self._fail(step.task, step.failure, Fail(step.failure.code, retryable=True)))
            else:
                if isinstance(step, Requeue):
                    self._backlog.put_back(step.task)
                decisions.append(step)
        return decisions

    def _delay(self, step: Delay) -> Decision:
        if step.is_refusal:
            self._backlog.wait_refused(step.task, step.at)
        else:
            self._backlog.wait(step.task, step.at)
        return RetryAt(step.task, step.at)

    def _charge(self, step: Charge, now: float) -> list[Decision]:
        """Decide about a request whose failure is its own, by the table of retries."""
        task, failure, endpoint = step.task, step.failure, self._pool.by_name[step.task.endpoint]
        given_up = self._pool.gives_up(endpoint, failure)
        if given_up is not None:
            return self._park(task, given_up, now)
        verdict = decide(
            self._policy, failure, step.at, self._random, earlier=task.failures, proven=endpoint.proven
        )
        if isinstance(verdict, Parking) and verdict.until is None:
            return self._park(task, verdict, now)
        task.failures.append(failure.code)
        if isinstance(verdict, Fail):
            return self._give_up(task, verdict, failure, now)
        if isinstance(verdict, Retry):
            at = max(now, verdict.at)
            self._backlog.wait(task, at)
            return [RetryAt(task, at)]
        self._backlog.wait(task, now)  # it is the endpoint that waits; another one may serve the request
        return [RetryAt(task, now), *self.carry_out(endpoint.park(verdict), now)]

    def _park(self, task: Task, parking: Parking, now: float) -> list[Decision]:
        self._backlog.put_back(task, first=True)
        return [Requeue(task), *self.carry_out(self._pool.by_name[task.endpoint].park(parking), now)]

    def _give_up(self, task: Task, verdict: Fail, failure: Failure, now: float) -> list[Decision]:
        """The request has failed, unless another endpoint of the pool may do better.

        If what answered the first request is no chat server, nothing more is sent there. Another run may have
        the right address, so nothing is held against the request either.
        """
        endpoint = self._pool.by_name[task.endpoint]
        if kind_of(failure) in SUSPECT and not task.is_last_chance and self._pool.has_another(endpoint):
            task.is_last_chance = True
            self._backlog.put_back(task)
            return [Requeue(task)]
        if failure.code == UNKNOWN_FINISH:
            return self._unknown_finish(task, verdict, failure, now)
        if endpoint.proven or not speaks_of_another_server(failure):
            return [self._fail(task, failure, verdict)]
        failed = self._fail(task, failure, Fail(verdict.code, retryable=True))
        return [failed, *self.carry_out(endpoint.park(no_chat_server(failure)), now)]

    def _unknown_finish(self, task: Task, verdict: Fail, failure: Failure, now: float) -> list[Decision]:
        """A word that no list has: on the first request, or the third time, it is the target's own."""
        self._unknown_finishes += 1
        failed: list[Decision] = [self._fail(task, failure, verdict)]
        if self._references.has_succeeded and self._unknown_finishes < UNKNOWN_FINISHES:
            return failed
        parking = Parking(failure.code, failure.message)
        return failed + [
            step for each in self._pool.endpoints for step in self.carry_out(each.park(parking), now)
        ]

    def _fail(self, task: Task, failure: Failure, verdict: Fail) -> Decision:
        self._admission.failed()
        return Failed(task, failure, verdict)
