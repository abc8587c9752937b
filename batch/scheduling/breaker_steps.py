"""What a circuit breaker wants done with requests: instructions that the queue carries out.

``Requeue``, ``Suspend`` and what becomes of the endpoint are decisions already (``decisions``).
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
    """The failure, which arrived at ``at``, is the request's own: the retry rules apply."""

    task: Task
    failure: Failure
    at: float


class Delay(Struct, frozen=True):
    """The request may be sent again at ``at``, uncharged; ``is_refusal``: the server had too much to do."""

    task: Task
    at: float
    is_refusal: bool


class Exhaust(Struct, frozen=True):
    """The request has been refused so often and for so long that it fails."""

    task: Task
    failure: Failure


Event: TypeAlias = Park | CircuitOpened | CircuitClosed | CheckStarted | Blamed
"""What has become of the endpoint."""

Step: TypeAlias = Charge | Delay | Exhaust | Requeue | Suspend | Event
