"""Judgement of refusals by an overloaded server (rule 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.scheduling.breaker_steps import Delay, Exhaust
from batch.scheduling.circuit_states import State
from batch.scheduling.decisions import Requeue
from batch.scheduling.outages import (
    delay_probe,
    open_and_release,
    park,
    probe_failed,
    probe_later,
    unanswered,
)
from batch.scheduling.retry import Parking, status_of, wait

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.breaker_steps import Step
    from batch.scheduling.endpoint_state import EndpointState
    from batch.scheduling.task import Task


def judge_refusal(
    endpoint: EndpointState, task: Task, failure: Failure, now: float, *, is_trial: bool
) -> list[Step]:
    """Judge a refused request: it waits, uncharged, or fails if the server refuses only this one."""
    endpoint.refusals.refused(task, now)
    if status_of(failure) == 503:
        is_closed = endpoint.refusals.is_closed(task.request.id)
        if is_closed or endpoint.circuit is not State.CLOSED:
            return _maintenance(endpoint, task, failure, now, is_trial=is_trial)
    if endpoint.refusals.last_too_long(now):
        return [Requeue(task), *park(endpoint, unanswered(endpoint, failure))]
    if endpoint.refusals.exhaust(task, now):
        return [Exhaust(task, failure)]
    verdict = wait(endpoint.policy, failure, task.refusals - 1, now, endpoint.random)
    if isinstance(verdict, Parking):  # only the endpoint waits; another one may serve the request
        return [Delay(task, now, is_refusal=True), *park(endpoint, verdict)]
    if endpoint.circuit is not State.CLOSED:
        endpoint.trial_at = max(endpoint.trial_at, verdict.at)
    return [Delay(task, verdict.at, is_refusal=True)]


def _maintenance(
    endpoint: EndpointState, task: Task, failure: Failure, now: float, *, is_trial: bool
) -> list[Step]:
    """Handle a server in maintenance: send one probe when the announced time is over."""
    if endpoint.circuit is State.OPEN:
        if is_trial:
            probe_later(endpoint, now)
            return [Requeue(task), *probe_failed(endpoint, failure, now)]
        return [Requeue(task), *delay_probe(endpoint, failure, now)]
    return [Requeue(task), *open_and_release(endpoint, failure, now)]
