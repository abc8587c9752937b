"""What is sent to an endpoint in doubt, and when: checks, probes, and the first requests.

One at a time is in flight there.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from batch.scheduling.circuit_states import Change, State
from batch.scheduling.decisions import CheckStarted

if TYPE_CHECKING:
    from batch.scheduling.breaker_steps import Step
    from batch.scheduling.endpoint_state import EndpointState


class Trial(Enum):
    """What may be sent to an endpoint that is not known to work: a reference request, or one of the job's."""

    CHECK = auto()
    REQUEST = auto()


def is_free(endpoint: EndpointState, now: float) -> bool:
    """Whether neither a parking nor the server forbids to send; a parking that is over ends here."""
    if endpoint.parking is not None:
        if endpoint.parking.until is None or now < endpoint.parking.until:
            return False
        endpoint.parking = None
    return now >= endpoint.announced.closed_until


def wished_trial(endpoint: EndpointState, now: float) -> Trial | None:
    """What is to be sent now; ``None``: nothing yet."""
    if endpoint.trial is not None or now < endpoint.trial_at:
        return None
    if endpoint.circuit is State.UNPROVEN and endpoint.in_flight:
        return None
    return trial_kind(endpoint)


def trial_kind(endpoint: EndpointState) -> Trial:
    """What is to be sent next."""
    if not endpoint.references:
        return Trial.REQUEST
    if endpoint.circuit is State.UNPROVEN:
        return Trial.CHECK if endpoint.probation.wants_check else Trial.REQUEST
    # A reference that an earlier run has left may be at fault itself: others have their turn, too.
    return Trial.REQUEST if not endpoint.proven and endpoint.probes % 2 else Trial.CHECK


def trial_due(endpoint: EndpointState, now: float) -> float | None:
    """When it may be sent, if no outcome comes before; ``None``: only an outcome helps."""
    if endpoint.parking is not None:
        return None if endpoint.parking.until is None else max(now, endpoint.parking.until)
    if endpoint.trial is not None or (endpoint.circuit is State.UNPROVEN and endpoint.in_flight):
        return None
    return max(now, endpoint.announced.closed_until, endpoint.trial_at)


def begin_check(endpoint: EndpointState, now: float) -> list[Step]:
    """Have a reference request decide about the suspects."""
    endpoint.enter(Change.CHECK_NEEDED)
    endpoint.trial_at = now
    endpoint.failed_checks = endpoint.probes = 0
    return [CheckStarted(endpoint.name, len(endpoint.suspects.waiting))]
