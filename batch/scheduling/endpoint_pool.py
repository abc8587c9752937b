"""The endpoints of one target: one as a rule, or several that serve the same model.

The least busy one that is fit to be asked has the next request. One that is in trouble is parked and probed
like any other, and what it could not serve goes to the others. Only where none is left the target is parked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batch.scheduling.decisions import CircuitOpened, Park
from batch.scheduling.retry import Parking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import Failure
    from batch.scheduling.circuit_breaker import CircuitBreaker
    from batch.scheduling.decisions import Decision
    from batch.scheduling.task import Task


class EndpointPool:
    """Endpoints in the job's order, of which there is at least one."""

    def __init__(self, endpoints: Iterable[CircuitBreaker]) -> None:
        self.endpoints = tuple(endpoints)
        self.by_name = {each.name: each for each in self.endpoints}
        self.first = self.endpoints[0]
        self._alone = len(self.endpoints) == 1

    @property
    def parking(self) -> Parking | None:
        """Why nothing is sent, where all are parked: the one that ends first, else the most pressing."""
        if self._alone:
            return self.first.parking
        parkings = [each.parking for each in self.endpoints if each.parking is not None]
        if len(parkings) < len(self.endpoints):
            return None
        return min(
            parkings,
            key=lambda parking: (math.inf if parking.until is None else parking.until, -parking.exit_code),
        )

    @property
    def stopped(self) -> bool:
        """Whether nobody is asked any more in this run."""
        return self.first.stopped and (self._alone or all(each.stopped for each in self.endpoints))

    @property
    def doubted(self) -> bool:
        """Whether the pilot of one has met something strange that is not cleared up yet."""
        return self.first.doubted if self._alone else any(each.doubted for each in self.endpoints)

    @property
    def suspects(self) -> int:
        """Requests that wait for proof of whose fault their failures are."""
        if self._alone:
            return len(self.first.suspects.waiting)
        return sum(len(each.suspects.waiting) for each in self.endpoints)

    @property
    def is_unproven(self) -> bool:
        """Whether no endpoint has ever answered."""
        return not (self.first.proven if self._alone else any(each.proven for each in self.endpoints))

    @property
    def is_in_doubt(self) -> bool:
        """Whether an endpoint may want a check."""
        return self.first.is_in_doubt if self._alone else any(each.is_in_doubt for each in self.endpoints)

    @property
    def may_be_reviewed(self) -> bool:
        """Whether an endpoint with suspects has no check or probe to wait for."""
        return any(each.may_be_reviewed for each in self.endpoints)

    def check_due(self, now: float) -> float | None:
        """When an endpoint wants a check."""
        return min((due for each in self.endpoints if (due := each.check_due(now)) is not None), default=None)

    def has_another(self, endpoint: CircuitBreaker) -> bool:
        """Whether there is another endpoint to try what has failed on this one."""
        return any(each is not endpoint and not each.stopped for each in self.endpoints)

    def slots(self, now: float) -> int:
        """How many may be in flight on all of them that are not parked."""
        return sum(each.slots(now) for each in self.endpoints if each.parking is None)

    def is_open(self, now: float) -> bool:
        """Whether somebody may be asked now."""
        return self.first.is_open(now) if self._alone else any(each.is_open(now) for each in self.endpoints)

    def due(self, now: float) -> float | None:
        """When somebody may be asked, if no outcome comes before."""
        if self._alone:
            return self.first.due(now)
        return min((due for each in self.endpoints if (due := each.due(now)) is not None), default=None)

    def choose(self, task: Task, now: float) -> CircuitBreaker:
        """Who is asked; somebody must be open. Preferably not the one on which the request has just failed:
        an endpoint that fails fast is never busy, and would draw everything to itself."""
        if self._alone:
            return self.first
        last = task.endpoint if task.failures else None
        free = (each for each in self.endpoints if each.is_open(now))
        return min(free, key=lambda each: (each.name == last, each.in_flight))

    def gives_up(self, endpoint: CircuitBreaker, failure: Failure) -> Parking | None:
        """Whether an endpoint whose pilot met something strange is left to others, and the request too."""
        is_left = endpoint.doubted and self.has_another(endpoint)
        return no_chat_server(failure) if is_left else None

    def settled(self, endpoint: CircuitBreaker, decisions: list[Decision], now: float) -> list[Decision]:
        """Decide about the other endpoints after an outcome, and correct what was decided about this one.

        As soon as one has worked, the model's name and the key are right. So those that were parked for what
        their first request met are probed as if they were down: they may be starting up.
        """
        if self._alone or self.is_unproven:
            return decisions
        for each in self.endpoints:
            each.give_another_chance(now)
        return [_as_opened(decision, endpoint) for decision in decisions]


def _as_opened(decision: Decision, endpoint: CircuitBreaker) -> Decision:
    if isinstance(decision, Park) and decision.endpoint == endpoint.name and endpoint.parking is None:
        return CircuitOpened(decision.endpoint, decision.code, decision.why, endpoint.probed_until)
    return decision


def no_chat_server(failure: Failure) -> Parking:
    """What is said of an endpoint that is of another kind."""
    return Parking(failure.code, f"this is no chat server: {failure.message}")
