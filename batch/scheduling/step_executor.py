"""Execute the steps of circuit breakers: requests wait, return to the backlog or fail; endpoints park."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.failure_codes import UNKNOWN_FINISH
from batch.scheduling.circuit_steps import Charge, Delay, Exhaust
from batch.scheduling.decisions import Failed, Requeue, RetryAt
from batch.scheduling.endpoint_pool import no_chat_server
from batch.scheduling.fault_attribution import SUSPECT, kind_of
from batch.scheduling.retry import Fail, Parking, Retry, decide, speaks_of_another_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batch.records import Failure
    from batch.scheduling.admission import Admission
    from batch.scheduling.backlog import Backlog
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.decisions import Decision
    from batch.scheduling.endpoint_pool import EndpointPool
    from batch.scheduling.known_good_requests import References
    from batch.scheduling.retry import RetryPolicy
    from batch.scheduling.task import Task

UNKNOWN_FINISHES = 3
"""Number of answers with an unknown finish reason after which the target is parked."""


class StepExecutor:
    """Executes the steps of the endpoints of one target queue, on the parts of that queue."""

    def __init__(
        self,
        pool: EndpointPool,
        backlog: Backlog,
        admission: Admission,
        references: References,
        policy: RetryPolicy,
        random: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._backlog = backlog
        self._admission = admission
        self._references = references
        self._policy = policy
        self._random = random
        self._unknown_finishes = 0

    def execute(self, steps: Iterable[Step], now: float) -> list[Decision]:
        """Carry out the steps in their order; return the decisions that follow."""
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
        """Decide by the retry table about a request that is charged with its failure."""
        task, failure, endpoint = step.task, step.failure, self._pool.by_name[step.task.endpoint]
        parking = self._pool.parking_of_other_server(endpoint, failure)
        if parking is not None:
            return self._park(task, parking, now)
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
        self._backlog.wait(task, now)  # only the endpoint waits; another one may serve the request
        return [RetryAt(task, now), *self.execute(endpoint.park(verdict), now)]

    def _park(self, task: Task, parking: Parking, now: float) -> list[Decision]:
        self._backlog.put_back(task, first=True)
        return [Requeue(task), *self.execute(self._pool.by_name[task.endpoint].park(parking), now)]

    def _give_up(self, task: Task, verdict: Fail, failure: Failure, now: float) -> list[Decision]:
        """Fail the request, unless another endpoint of the pool may succeed.

        If the server that answered the first request is not a chat server, park the endpoint. A later run may
        have the right address, so the failure is retryable.
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
        return [failed, *self.execute(endpoint.park(no_chat_server(failure)), now)]

    def _unknown_finish(self, task: Task, verdict: Fail, failure: Failure, now: float) -> list[Decision]:
        """Fail the request; park the target at its first request or at the third unknown finish reason."""
        self._unknown_finishes += 1
        failed: list[Decision] = [self._fail(task, failure, verdict)]
        if self._references.has_succeeded and self._unknown_finishes < UNKNOWN_FINISHES:
            return failed
        parking = Parking(failure.code, failure.message)
        return failed + [
            step for each in self._pool.endpoints for step in self.execute(each.park(parking), now)
        ]

    def _fail(self, task: Task, failure: Failure, verdict: Fail) -> Decision:
        self._admission.failed()
        return Failed(task, failure, verdict)
