"""What a circuit breaker wants done with requests: instructions that the queue carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.scheduling.decisions import Blamed, CheckStarted, CircuitClosed, CircuitOpened, Park

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.task import Task


class Charge(Struct, frozen=True):
    """The failure, which arrived at ``at``, is the request's own: the retry rules apply."""

    task: Task
    failure: Failure
    at: float


class Release(Struct, frozen=True):
    """The request may be sent again at once, uncharged."""

    task: Task


class Delay(Struct, frozen=True):
    """The request may be sent again at ``at``, uncharged; ``is_refusal``: the server had too much to do."""

    task: Task
    at: float
    is_refusal: bool


class Exhaust(Struct, frozen=True):
    """The request has been refused so often and for so long that it fails."""

    task: Task
    failure: Failure


class Hang(Struct, frozen=True):
    """The request waits for proof of whose fault its failure is."""

    task: Task


Event: TypeAlias = Park | CircuitOpened | CircuitClosed | CheckStarted | Blamed
"""What has become of the endpoint."""

Step: TypeAlias = Charge | Release | Delay | Exhaust | Hang | Event
