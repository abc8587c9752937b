"""The decisions of the engine after an attempt, as values; the runner carries them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.retry import Fail
    from batch.scheduling.task import Task


class RetryAt(Struct, frozen=True):
    """Retry the request at ``at``."""

    task: Task
    at: float


class Failed(Struct, frozen=True):
    """Fail the request. ``verdict`` has the code and whether another run may retry it."""

    task: Task
    failure: Failure
    verdict: Fail


class Requeue(Struct, frozen=True):
    """Put the request back into its queue, uncharged: the endpoint is at fault."""

    task: Task


class Suspend(Struct, frozen=True):
    """Keep the request waiting, uncharged, until the cause is known: the request or the endpoint."""

    task: Task


class Park(Struct, frozen=True):
    """Send nothing to the endpoint until ``until``, or for the rest of the run if that is ``None``."""

    endpoint: str
    code: str
    why: str
    until: float | None = None


class CircuitOpened(Struct, frozen=True):
    """The endpoint is down. It is probed until it answers, or until ``until``."""

    endpoint: str
    code: str
    why: str
    until: float


class CircuitClosed(Struct, frozen=True):
    """The endpoint answers again."""

    endpoint: str


class CheckStarted(Struct, frozen=True):
    """``suspects`` requests have failed without proof that the endpoint works: a check decides."""

    endpoint: str
    suspects: int


class Blamed(Struct, frozen=True):
    """The endpoint works: these requests caused their own failures."""

    endpoint: str
    tasks: tuple[Task, ...]


Decision: TypeAlias = (
    RetryAt | Failed | Requeue | Suspend | Park | CircuitOpened | CircuitClosed | CheckStarted | Blamed
)
