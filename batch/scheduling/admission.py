"""Whether a request may go now as far as limits are concerned: rates of its target, budgets of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batch.records import Outcome
    from batch.scheduling.task import Task


class Admission(Protocol):
    """What stands before each attempt of a queue, first ones and retries alike.

    A queue asks about the request at its head when there is a slot for it. Where that cannot go it stays at
    the head, and nothing of its queue overtakes it; so an admission control need not be fair. Each queue
    has an admission control, and admission controls may share what holds for the whole run. Every
    ``reserve`` is followed by exactly one ``settled``, but for attempts that are cancelled with the run.
    """

    @property
    def closed(self) -> bool:
        """Whether a limit of the run is reached for good: no queue sends any more."""
        ...

    def ready_at(self, task: Task, now: float) -> float:
        """When the request may go. Reserves nothing, and may be asked any number of times.

        ``now`` or earlier: at once. Later: not before then, or before something settles. ``math.inf``: no
        time helps, only what is under way may give back enough by settling; where nothing is under way in
        the whole run, a limit is reached and the run ends (``Scheduler.limited``).
        """
        ...

    def reserve(self, task: Task, now: float) -> None:
        """The request goes: set aside what its attempt may cost; ``task.reservation`` is there for that."""
        ...

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """The attempt has ended, as ``outcome``; with a reply so has its request, unless it is a check."""
        ...

    def failed(self) -> None:
        """A request has failed for good."""
        ...


class UnlimitedAdmission:
    """No limits: everything may go at once."""

    closed = False

    def ready_at(self, task: Task, now: float) -> float:  # noqa: ARG002 - the same for all
        """Now."""
        return now

    def reserve(self, task: Task, now: float) -> None:
        """Nothing to set aside."""

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """Nothing to give back."""

    def failed(self) -> None:
        """Nothing to count."""
