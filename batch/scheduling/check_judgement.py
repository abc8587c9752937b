"""The steps that follow the failure of a reference request (rules 5 to 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.failure_codes import WORKER_LOST
from batch.scheduling.circuit_states import State
from batch.scheduling.failure_judgement import judge_unproven
from batch.scheduling.fault_attribution import Kind, kind_of
from batch.scheduling.outages import (
    open_and_release,
    park,
    parking_for,
    probe_failed,
    probe_later,
    unanswered,
)
from batch.scheduling.retry import Parking, status_of, wait

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.endpoint_state import EndpointState


CHECKS = 3
"""Number of checks that may fail for reasons of their own."""


def judge_check(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Judge the failure of a reference request, which is an attempt of the run and not of a request."""
    if failure.code == WORKER_LOST:  # it shows nothing; the check is sent again
        endpoint.probation.is_checked = False
        return []
    kind = kind_of(failure)
    if kind is Kind.PARK or (kind is Kind.DENIED and endpoint.proven):
        return park(endpoint, parking_for(failure))
    if endpoint.circuit is State.OPEN:
        probe_later(endpoint, now)
        return probe_failed(endpoint, failure, now)
    if kind is Kind.REFUSED and status_of(failure) != 503:
        return _check_refused(endpoint, failure, now)
    if endpoint.circuit is State.UNPROVEN:
        return _unproven_check_failed(endpoint, failure, kind, now)
    return _decided(endpoint, failure, kind, now)


def _decided(endpoint: EndpointState, failure: Failure, kind: Kind, now: float) -> list[Step]:
    """Judge a check that shows a fault of the endpoint or has failed for a reason of its own."""
    if kind in (Kind.TROUBLE, Kind.UNREACHABLE, Kind.REFUSED):
        return open_and_release(endpoint, failure, now)
    endpoint.failed_checks += 1
    if endpoint.failed_checks < CHECKS:
        return []
    why = f"requests that the endpoint answered before now fail: {failure.message}"
    return park(endpoint, Parking(failure.code, why))


def _unproven_check_failed(endpoint: EndpointState, failure: Failure, kind: Kind, now: float) -> list[Step]:
    if kind is Kind.UNREACHABLE:
        return park(endpoint, parking_for(failure))
    endpoint.probation.check_failed(failure, kind)
    return judge_unproven(endpoint, failure, now)


def _check_refused(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Send the check again when the server has capacity."""
    endpoint.probation.is_checked = False
    endpoint.refusals.refused_check(now)
    if endpoint.refusals.last_too_long(now):
        return park(endpoint, unanswered(endpoint, failure))
    verdict = wait(endpoint.policy, failure, endpoint.probes, now, endpoint.random)
    endpoint.probes += 1
    if isinstance(verdict, Parking):
        return park(endpoint, verdict)
    endpoint.trial_at = verdict.at
    return []
