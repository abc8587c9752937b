"""The endpoints of one target: usually one, or several that serve the same model.

The available endpoint with the fewest requests in flight gets the next request. A failing endpoint is parked
and probed as usual, and its requests go to the others. The target is parked only if no endpoint is left.
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
    """Endpoints in the job's order, at least one."""

    def __init__(self, endpoints: Iterable[CircuitBreaker]) -> None:
        self.endpoints = tuple(endpoints)
        self.by_name = {each.name: each for each in self.endpoints}
        self.first = self.endpoints[0]
        self._alone = len(self.endpoints) == 1

    @property
    def parking(self) -> Parking | None:
        """Why all endpoints are parked: the parking that ends first, else the most serious one."""
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
        """Whether no endpoint is sent anything in the rest of the run."""
        return self.first.stopped and (self._alone or all(each.stopped for each in self.endpoints))

    @property
    def doubted(self) -> bool:
        """Whether the first request to an endpoint met another kind of server, which is not resolved yet."""
        return self.first.doubted if self._alone else any(each.doubted for each in self.endpoints)

    @property
    def suspects(self) -> int:
        """Number of requests that wait for proof of what caused their failures."""
        if self._alone:
            return len(self.first.suspects.waiting)
        return sum(len(each.suspects.waiting) for each in self.endpoints)

    @property
    def is_unproven(self) -> bool:
        """Whether no endpoint has ever answered."""
        return not (self.first.proven if self._alone else any(each.proven for each in self.endpoints))

    @property
    def is_in_doubt(self) -> bool:
        """Whether an endpoint may need a check."""
        return self.first.is_in_doubt if self._alone else any(each.is_in_doubt for each in self.endpoints)

    @property
    def may_be_reviewed(self) -> bool:
        """Whether an endpoint with suspects has no check or probe to wait for."""
        return any(each.may_be_reviewed for each in self.endpoints)

    def check_due(self, now: float) -> float | None:
        """Return when an endpoint needs a check."""
        return min((due for each in self.endpoints if (due := each.check_due(now)) is not None), default=None)

    def has_another(self, endpoint: CircuitBreaker) -> bool:
        """Whether another endpoint can retry a request that failed on this one."""
        return any(each is not endpoint and not each.stopped for each in self.endpoints)

    def slots(self, now: float) -> int:
        """Return how many requests may be in flight on all endpoints that are not parked."""
        return sum(each.slots(now) for each in self.endpoints if each.parking is None)

    def is_open(self, now: float) -> bool:
        """Whether an endpoint accepts a request now."""
        return self.first.is_open(now) if self._alone else any(each.is_open(now) for each in self.endpoints)

    def due(self, now: float) -> float | None:
        """Return when an endpoint accepts a request, if no outcome arrives before."""
        if self._alone:
            return self.first.due(now)
        return min((due for each in self.endpoints if (due := each.due(now)) is not None), default=None)

    def choose(self, task: Task, now: float) -> CircuitBreaker:
        """Return the endpoint for a request; at least one must be open.

        The endpoint on which the request has just failed comes last. An endpoint that fails quickly is never
        busy, and would attract all requests.
        """
        if self._alone:
            return self.first
        last = task.endpoint if task.failures else None
        free = (each for each in self.endpoints if each.is_open(now))
        return min(free, key=lambda each: (each.name == last, each.in_flight))

    def parking_of_other_server(self, endpoint: CircuitBreaker, failure: Failure) -> Parking | None:
        """Return the parking of another kind of server if other endpoints can serve its request."""
        is_left = endpoint.doubted and self.has_another(endpoint)
        return no_chat_server(failure) if is_left else None

    def settled(self, endpoint: CircuitBreaker, decisions: list[Decision], now: float) -> list[Decision]:
        """Decide about the other endpoints after an outcome, and correct the decisions about this one.

        As soon as one endpoint has worked, the model name and the key are known to be right. So endpoints
        that were parked because of their first request are probed as if they were down: they may be starting
        up.
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
    """Return the parking of an endpoint that is not a chat server."""
    return Parking(failure.code, f"this is not a chat server: {failure.message}")
