"""Judgement of a failure: caused by the request, by the endpoint, or unknown (rules 1 to 4, 6 to 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.failure_codes import FD_LIMIT
from batch.scheduling.circuit_states import State
from batch.scheduling.circuit_steps import Charge, Delay, Exhaust
from batch.scheduling.decisions import Requeue, Suspend
from batch.scheduling.fault_attribution import SUSPECT, Kind, kind_of
from batch.scheduling.outages import (
    delay_probe,
    open_and_release,
    park,
    parking_for,
    probe_failed,
    probe_later,
    unanswered,
)
from batch.scheduling.probation import Verdict
from batch.scheduling.retry import Parking, has_begun, speaks_of_another_server, status_of, wait
from batch.scheduling.suspect_requests import Suspect
from batch.scheduling.trials import begin_check

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.endpoint_state import EndpointState
    from batch.scheduling.task import Task


SUSPECTS = 5
"""Number of requests that may fail without proof before a check."""

REFUSED_CONNECTIONS = 2
"""Minimum number of refused connections: a single one among answers is not evidence."""


def judge_failure(
    endpoint: EndpointState, task: Task, failure: Failure, now: float, *, is_trial: bool
) -> list[Step]:
    """Judge the failure of a request of the job. ``is_trial``: it was sent to an endpoint in doubt."""
    kind = kind_of(failure)
    endpoint.is_other_server = not endpoint.proven and speaks_of_another_server(failure)
    if kind is Kind.REFUSED:
        return _refused(endpoint, task, failure, now, is_trial=is_trial)
    if kind is Kind.UNREACHABLE and failure.code == FD_LIMIT and endpoint.in_flight:
        endpoint.ceiling = max(1, endpoint.in_flight)  # what this machine can open
        return [Delay(task, now + endpoint.policy.base, is_refusal=False)]
    if endpoint.circuit is State.OPEN:
        return _failed_while_open(endpoint, task, failure, kind, now, is_trial=is_trial)
    if endpoint.circuit is State.UNPROVEN:
        return _failed_unproven(endpoint, task, failure, kind, now)
    if kind is Kind.UNREACHABLE or kind in SUSPECT:
        return _suspected(endpoint, task, failure, kind, now)
    return [Charge(task, failure, now)]


def _suspected(endpoint: EndpointState, task: Task, failure: Failure, kind: Kind, now: float) -> list[Step]:
    _suspect(endpoint, task, failure, kind, now)
    if kind is Kind.UNREACHABLE:
        count = endpoint.suspects.count(kind)
        if not endpoint.in_flight or count >= REFUSED_CONNECTIONS or failure.code == FD_LIMIT:
            return open_and_release(endpoint, failure, now)
    if endpoint.circuit is State.CLOSED and len(endpoint.suspects.waiting) >= SUSPECTS * endpoint.patience:
        return [Suspend(task), *begin_check(endpoint, now)]
    return [Suspend(task)]


def _suspect(endpoint: EndpointState, task: Task, failure: Failure, kind: Kind, now: float) -> None:
    endpoint.turn += 1
    endpoint.suspects.add(Suspect(task, failure, kind, now, endpoint.turn))


def _failed_unproven(
    endpoint: EndpointState, task: Task, failure: Failure, kind: Kind, now: float
) -> list[Step]:
    endpoint.probation.failed(task.request.id, failure, kind)
    if kind is Kind.UNREACHABLE and failure.code == FD_LIMIT:
        _suspect(endpoint, task, failure, kind, now)
        return open_and_release(endpoint, failure, now)
    if kind in SUSPECT or kind is Kind.REJECTED:
        _suspect(endpoint, task, failure, kind, now)
        return judge_unproven(endpoint, failure, now) or [Suspend(task)]
    return [Charge(task, failure, now), *judge_unproven(endpoint, failure, now)]


def judge_unproven(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Judge an endpoint that has never given proof, after one more failure."""
    verdict = endpoint.probation.verdict(endpoint.suspects)
    if verdict is Verdict.OPEN:
        return open_and_release(endpoint, failure, now)
    return park(endpoint, parking_for(failure)) if verdict is Verdict.PARK else []


def _failed_while_open(
    endpoint: EndpointState, task: Task, failure: Failure, kind: Kind, now: float, *, is_trial: bool
) -> list[Step]:
    if is_trial:
        probe_later(endpoint, now)
    if kind is Kind.PARK:
        return [Charge(task, failure, now)]
    if is_trial and kind is Kind.DENIED and endpoint.proven:
        return [Requeue(task), *park(endpoint, parking_for(failure))]
    is_still_open = kind is Kind.UNREACHABLE or kind in SUSPECT or (is_trial and not has_begun(failure))
    if not is_still_open or failure.about_request:
        return [Charge(task, failure, now)]
    return [
        Requeue(task),
        *(probe_failed(endpoint, failure, now) if is_trial else delay_probe(endpoint, failure, now)),
    ]


# Refusals by an overloaded server (rule 8)


def _refused(
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
