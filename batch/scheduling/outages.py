"""Outages: opening the circuit of an endpoint, probing it, and parking it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.exit_codes import UNAVAILABLE
from batch.failure_codes import parks
from batch.scheduling.circuit_states import Change
from batch.scheduling.decisions import CircuitOpened, Park
from batch.scheduling.retry import Parking, backoff, not_before

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.endpoint_state import EndpointState


PROBE_PAUSE = 0.1
"""Minimum number of seconds between two probes."""


def park(endpoint: EndpointState, parking: Parking) -> list[Step]:
    """Park the endpoint, for a time or for the run, and release the suspects; reported once."""
    before = endpoint.parking
    steps = endpoint.suspects.release()
    if before is None or parking.until is None:
        endpoint.parking = parking
    elif before.until is not None:
        endpoint.parking = replace(before, until=max(before.until, parking.until))
    if before is None or (before.until is not None and parking.until is None):
        steps.append(Park(endpoint.name, parking.code, parking.why, parking.until))
    return steps


def open_and_release(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Open the circuit and release the suspects, uncharged."""
    open_circuit(endpoint, failure.code, now)
    steps = endpoint.suspects.release()
    parked = probe_failed(endpoint, failure, now)
    opened = CircuitOpened(endpoint.name, failure.code, failure.message, endpoint.probed_until)
    return steps + (parked or [opened])


def open_circuit(endpoint: EndpointState, code: str, now: float) -> None:
    """Open the circuit; the first probe follows after a pause."""
    endpoint.enter(Change.OUTAGE)
    endpoint.open_code = code
    if endpoint.down_since is None:
        endpoint.down_since = now
    endpoint.opened_turn = endpoint.turn
    endpoint.probes = 0
    endpoint.probation.forget_errors()
    endpoint.trial = None
    endpoint.trial_at = -math.inf
    probe_later(endpoint, now)


def probe_later(endpoint: EndpointState, now: float) -> None:
    """Schedule the next probe, with a longer wait each time."""
    pause = max(PROBE_PAUSE, backoff(endpoint.policy, endpoint.probes, endpoint.random))
    endpoint.trial_at = max(endpoint.trial_at, now + pause)
    endpoint.probes += 1


def probe_failed(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Handle a failed probe: continue probing, or park the endpoint if the outage has lasted too long."""
    if now >= endpoint.probed_until:
        return park(endpoint, Parking(failure.code, failure.message, exit_code=UNAVAILABLE))
    return delay_probe(endpoint, failure, now)


def delay_probe(endpoint: EndpointState, failure: Failure, now: float) -> list[Step]:
    """Delay the probe until the time that the server asks for; park the endpoint if probing ends before."""
    if failure.retry_after is None:
        return []
    if now + failure.retry_after > endpoint.probed_until:
        return park(endpoint, Parking(failure.code, failure.message, exit_code=UNAVAILABLE))
    endpoint.trial_at = max(endpoint.trial_at, not_before(failure.retry_after, now, endpoint.random))
    return []


def unanswered(endpoint: EndpointState, failure: Failure) -> Parking:
    """Return the parking of an endpoint that has refused all requests for too long."""
    why = f"no request was answered for {endpoint.outage:g} s: {failure.message}"
    return Parking(failure.code, why, exit_code=UNAVAILABLE)


def parking_for(failure: Failure) -> Parking:
    """Return the parking of an endpoint for a failure that all requests would get."""
    return Parking(failure.code, failure.message)


def give_another_chance(endpoint: EndpointState, now: float) -> None:
    """Probe an endpoint that was parked because of its first request, not because of an outage."""
    parking = endpoint.parking
    if parking is None or parking.until is not None or endpoint.proven or endpoint.has_second_chance:
        return
    if not parks(parking.code) and parking.exit_code != UNAVAILABLE:
        endpoint.has_second_chance = True
        open_circuit(endpoint, parking.code, now)
        endpoint.parking = None
