"""What the engine decides when an attempt has ended, as values: the runner carries them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.retry import Fail
    from batch.scheduling.task import Task


class RetryAt(Struct, frozen=True):
    """The request waits for its next attempt until ``at``."""

    task: Task
    at: float


class Failed(Struct, frozen=True):
    """The request has failed. ``verdict`` says with which code, and whether another run may retry it."""

    task: Task
    failure: Failure
    verdict: Fail


class Requeue(Struct, frozen=True):
    """The request goes back to its queue, uncharged: the endpoint is at fault."""

    task: Task


class Suspend(Struct, frozen=True):
    """The request waits, uncharged, until it is known whether it or the endpoint is at fault."""

    task: Task


class Park(Struct, frozen=True):
    """Nothing more is sent to the endpoint until ``until``, or in this run where that is ``None``."""

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
    """The endpoint works: the failures of these requests are their own."""

    endpoint: str
    tasks: tuple[Task, ...]


Decision: TypeAlias = (
    RetryAt | Failed | Requeue | Suspend | Park | CircuitOpened | CircuitClosed | CheckStarted | Blamed
)
