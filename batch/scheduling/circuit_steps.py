"""Steps that a circuit breaker returns for requests; ``step_executor`` executes them.

``Requeue``, ``Suspend`` and changes of the endpoint are decisions already (``decisions``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.scheduling.decisions import (
    Blamed,
    CheckStarted,
    CircuitClosed,
    CircuitOpened,
    Park,
    Requeue,
    Suspend,
)

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.task import Task


class Charge(Struct, frozen=True):
    """Charge the request with the failure, which arrived at ``at``: the retry rules apply."""

    task: Task
    failure: Failure
    at: float


class Delay(Struct, frozen=True):
    """Send the request again at ``at``, uncharged; ``is_refusal``: the server was overloaded."""

    task: Task
    at: float
    is_refusal: bool


class Exhaust(Struct, frozen=True):
    """Fail the request: the server has refused it too often and for too long."""

    task: Task
    failure: Failure


Event: TypeAlias = Park | CircuitOpened | CircuitClosed | CheckStarted | Blamed
"""A change of the endpoint."""

Step: TypeAlias = Charge | Delay | Exhaust | Requeue | Suspend | Event
