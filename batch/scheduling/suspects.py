"""The requests of one endpoint that have failed, as long as it is not known whose fault that is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.scheduling.breaker_steps import Charge
from batch.scheduling.decisions import Blamed, Requeue
from batch.scheduling.fault_attribution import Kind
from batch.scheduling.retry import status_of

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.breaker_steps import Step
    from batch.scheduling.task import Task


class Suspect(Struct, frozen=True):
    """A failure that arrived at ``at``; ``turn`` is its place among what the endpoint was sent."""

    task: Task
    failure: Failure
    kind: Kind
    at: float
    turn: int


class Suspects:
    """They are ``waiting``, uncharged, until they are charged or released."""

    def __init__(self) -> None:
        self.waiting: list[Suspect] = []

    def add(self, suspect: Suspect) -> None:
        """One more."""
        self.waiting.append(suspect)

    def count(self, kind: Kind) -> int:
        """How many are of a kind."""
        return sum(each.kind is kind for each in self.waiting)

    def first(self, kind: Kind) -> Failure | None:
        """The first failure of a kind."""
        return next((each.failure for each in self.waiting if each.kind is kind), None)

    @property
    def are_convicted(self) -> bool:
        """Whether each was charged with the same code before."""
        return all(each.failure.code in each.task.failures for each in self.waiting)

    @property
    def equal_rejections(self) -> int:
        """How many were rejected with the same status and code, at the most."""
        rejections = Counter(
            (status_of(each.failure), each.failure.server_code)
            for each in self.waiting
            if each.kind is Kind.REJECTED
        )
        return max(rejections.values(), default=0)

    def charge_all(self) -> list[Step]:
        """Charge all that wait, where nothing is left that could prove whose fault their failures are."""
        charges: list[Step] = [Charge(each.task, each.failure, each.at) for each in self.waiting]
        self.waiting.clear()
        return charges

    def charge(self, endpoint: str, before: int) -> list[Step]:
        """Charge those that had failed before an attempt of that turn was sent, which was answered."""
        proven = [each for each in self.waiting if each.turn < before]
        if not proven:
            return []
        self.waiting = [each for each in self.waiting if each.turn >= before]
        blamed = Blamed(endpoint, tuple(each.task for each in proven))
        return [blamed, *(Charge(each.task, each.failure, each.at) for each in proven)]

    def release(self) -> list[Step]:
        """Let all go, uncharged: the endpoint is at fault."""
        released: list[Step] = [Requeue(each.task) for each in self.waiting]
        self.waiting.clear()
        return released
