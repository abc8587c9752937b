"""Failed requests of one endpoint whose cause is not known yet."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.scheduling.circuit_steps import Charge
from batch.scheduling.decisions import Blamed, Requeue
from batch.scheduling.fault_attribution import Kind
from batch.scheduling.retry import status_of

if TYPE_CHECKING:
    from batch.records import Failure
    from batch.scheduling.circuit_steps import Step
    from batch.scheduling.task import Task


class Suspect(Struct, frozen=True):
    """A failure that arrived at ``at``; ``turn`` is its position among the sends of the endpoint."""

    task: Task
    failure: Failure
    kind: Kind
    at: float
    turn: int


class Suspects:
    """The suspects of an endpoint; they are ``waiting``, uncharged, until they are charged or released."""

    def __init__(self) -> None:
        self.waiting: list[Suspect] = []

    def add(self, suspect: Suspect) -> None:
        """Add a suspect."""
        self.waiting.append(suspect)

    def count(self, kind: Kind) -> int:
        """Return the number of suspects of a kind."""
        return sum(each.kind is kind for each in self.waiting)

    def first(self, kind: Kind) -> Failure | None:
        """Return the first failure of a kind."""
        return next((each.failure for each in self.waiting if each.kind is kind), None)

    @property
    def were_charged_before(self) -> bool:
        """Whether each was charged with the same code before."""
        return all(each.failure.code in each.task.failures for each in self.waiting)

    @property
    def equal_rejections(self) -> int:
        """Return the largest number of rejections with the same status and code."""
        rejections = Counter(
            (status_of(each.failure), each.failure.server_code)
            for each in self.waiting
            if each.kind is Kind.REJECTED
        )
        return max(rejections.values(), default=0)

    def charge_all(self) -> list[Step]:
        """Charge all suspects: nothing is left that could prove what caused their failures."""
        charges: list[Step] = [Charge(each.task, each.failure, each.at) for each in self.waiting]
        self.waiting.clear()
        return charges

    def charge(self, endpoint: str, before: int) -> list[Step]:
        """Charge the suspects that failed before an answered attempt of turn ``before`` was sent."""
        proven = [each for each in self.waiting if each.turn < before]
        if not proven:
            return []
        self.waiting = [each for each in self.waiting if each.turn >= before]
        blamed = Blamed(endpoint, tuple(each.task for each in proven))
        return [blamed, *(Charge(each.task, each.failure, each.at) for each in proven)]

    def release(self) -> list[Step]:
        """Release all suspects, uncharged: the endpoint is at fault."""
        released: list[Step] = [Requeue(each.task) for each in self.waiting]
        self.waiting.clear()
        return released
