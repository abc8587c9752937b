"""Trials: the checks, probes and first requests that are sent to an endpoint in doubt, one at a time."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from batch.scheduling.circuit_states import Change, State
from batch.scheduling.decisions import CheckStarted

if TYPE_CHECKING:
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.endpoint_state import EndpointState


class Trial(Enum):
    """What may be sent to an endpoint in doubt: a reference request, or a request of the job."""

    CHECK = auto()
    REQUEST = auto()


def is_free(endpoint: EndpointState, now: float) -> bool:
    """Whether neither a parking nor the server forbids to send; ends a parking that has expired."""
    if endpoint.parking is not None:
        if endpoint.parking.until is None or now < endpoint.parking.until:
            return False
        endpoint.parking = None
    return now >= endpoint.rate_limit.closed_until


def next_trial(endpoint: EndpointState, now: float) -> Trial | None:
    """Return what to send now; ``None``: nothing yet."""
    if endpoint.trial is not None or now < endpoint.trial_at:
        return None
    if endpoint.circuit is State.UNPROVEN and endpoint.in_flight:
        return None
    return trial_kind(endpoint)


def trial_kind(endpoint: EndpointState) -> Trial:
    """Return what to send next."""
    if not endpoint.references:
        return Trial.REQUEST
    if endpoint.circuit is State.UNPROVEN:
        return Trial.CHECK if endpoint.probation.wants_check else Trial.REQUEST
    # A reference of an earlier run may itself be invalid: other requests are tried in turn.
    return Trial.REQUEST if not endpoint.proven and endpoint.probes % 2 else Trial.CHECK


def trial_due(endpoint: EndpointState, now: float) -> float | None:
    """Return when a trial may be sent, if no outcome arrives before; ``None``: only after an outcome."""
    if endpoint.parking is not None:
        return None if endpoint.parking.until is None else max(now, endpoint.parking.until)
    if endpoint.trial is not None or (endpoint.circuit is State.UNPROVEN and endpoint.in_flight):
        return None
    return max(now, endpoint.rate_limit.closed_until, endpoint.trial_at)


def begin_check(endpoint: EndpointState, now: float) -> list[Step]:
    """Send a reference request to decide about the suspects."""
    endpoint.enter(Change.CHECK_NEEDED)
    endpoint.trial_at = now
    endpoint.failed_checks = endpoint.probes = 0
    return [CheckStarted(endpoint.name, len(endpoint.suspects.waiting))]
