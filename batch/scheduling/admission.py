"""Admission control: whether the rate limits of a target and the budget of the run allow a request now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batch.records import Outcome
    from batch.scheduling.task import Task


class Admission(Protocol):
    """The admission control of one queue, asked before each attempt, first attempts and retries alike.

    A queue asks about the request at its head when a slot is free. If the request is not admitted, it stays
    at the head and no request of its queue overtakes it; so an admission control need not be fair. Several
    admission controls may share the limits of the whole run. Every ``reserve`` is followed by exactly one
    ``settled``, except for attempts that are cancelled with the run.
    """

    @property
    def closed(self) -> bool:
        """Whether a limit of the run is permanently reached: no queue sends any more."""
        ...

    def ready_at(self, task: Task, now: float) -> float:
        """Return when the request may be sent. Reserves nothing, and may be called any number of times.

        ``now`` or earlier: immediately. Later: not before that time or before an attempt settles.
        ``math.inf``: only attempts in flight can release enough by settling. If none is in flight in the
        whole run, a limit is reached and the run ends (``Scheduler.limited``).
        """
        ...

    def reserve(self, task: Task, now: float) -> None:
        """Reserve what the attempt may cost, in ``task.reservation``; the request is sent now."""
        ...

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """Book an attempt that ended with ``outcome``. A reply ends its request too, unless it is a check."""
        ...

    def failed(self) -> None:
        """Count a request that has failed permanently."""
        ...


class UnlimitedAdmission:
    """No limits: every request is admitted immediately."""

    closed = False

    def ready_at(self, task: Task, now: float) -> float:  # noqa: ARG002 - the same for all
        """Return ``now``."""
        return now

    def reserve(self, task: Task, now: float) -> None:
        """Reserve nothing."""

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """Release nothing."""

    def failed(self) -> None:
        """Count nothing."""
