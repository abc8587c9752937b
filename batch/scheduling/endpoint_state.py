"""The state of one endpoint: the data that the circuit breaker and its rules share.

The rules read and write it. ``trials`` decides what may be sent to an endpoint in doubt.
``failure_judgement`` and ``check_judgement`` decide what a failure means. ``outages`` opens circuits and
parks endpoints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batch.scheduling.circuit_states import TRANSITIONS, State
from batch.scheduling.probation import Probation
from batch.scheduling.server_rate_limit import ServerRateLimit
from batch.scheduling.suspect_requests import Suspects
from batch.scheduling.throttling import Throttling

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.circuit_states import Change
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from batch.scheduling.known_good_requests import References
    from batch.scheduling.retry import Parking, RetryPolicy
    from batch.scheduling.task import Task


class EndpointState:
    """One endpoint. ``limit`` bounds what ``limiter`` allows.

    ``circuit`` is changed only by ``enter``. ``outage`` is the maximum time that it may be down, in seconds.
    ``ceiling`` is the number of connections that this machine can open. ``turn`` counts sends and suspects,
    to order them; ``opened_turn`` is its value when the circuit opened.

    ``trial`` is the check or probe in flight; none is sent before ``trial_at``. ``probes`` and
    ``failed_checks`` count failed ones. A check follows ``patience`` times as many suspects as the first
    check did. ``answers`` counts the answers since the last check.

    ``proven``: the endpoint has given what only a working endpoint gives. ``is_other_server``: another kind
    of server answered the first request. ``has_second_chance``: the endpoint is probed although its first
    request had parked it.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        limiter: ConcurrencyLimiter,
        policy: RetryPolicy,
        outage: float,
        random: Callable[[], float],
        references: References,
    ) -> None:
        self.name = name
        self.limiter = limiter
        self.policy = policy
        self.outage = outage
        self.random = random
        self.references = references
        self.in_flight = 0
        self.limit = self.ceiling = limit
        self.rate_limit = ServerRateLimit()
        self.proven = False
        self.is_other_server = False
        self.has_second_chance = False

        self.circuit = State.UNPROVEN
        self.is_in_doubt = True  # while the circuit is not closed
        self.parking: Parking | None = None
        self.open_code = ""
        self.opened_turn = 0
        self.down_since: float | None = None

        self.turn = 0
        self.suspects = Suspects()
        self.probation = Probation()
        self.refusals = Throttling(policy.max_attempts, outage)
        self.trial: Task | None = None
        self.trial_at = -math.inf
        self.probes = 0
        self.failed_checks = 0
        self.patience = 1
        self.answers = 0

    def enter(self, change: Change) -> None:
        """Change the state of the circuit by the transition table."""
        self.circuit = TRANSITIONS[self.circuit, change]
        self.is_in_doubt = self.circuit is not State.CLOSED

    @property
    def state(self) -> State:
        """The state now. An endpoint that was parked for a time continues in its previous state."""
        return State.PARKED if self.parking is not None else self.circuit

    @property
    def stopped(self) -> bool:
        """Whether nothing more is sent to the endpoint in this run."""
        return self.parking is not None and self.parking.until is None

    @property
    def opened_at(self) -> float | None:
        """When the outage began; ``None`` while the circuit is not open.

        An outage continues if only checks have been answered since.
        """
        return self.down_since if self.circuit is State.OPEN else None

    @property
    def probed_until(self) -> float:
        """When probing ends; only valid while the circuit is open."""
        return math.inf if self.opened_at is None else self.opened_at + self.outage
