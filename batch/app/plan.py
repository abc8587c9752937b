"""What a job amounts to, before anything is sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from batch.inputs.check import check
from batch.inputs.source import JobSource
from batch.local_model.identity import identity
from batch.policy.resume import TO_RUN, State, state
from batch.wire import autonomous

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.jobfile.job import JobFile
    from batch.ports import Sink, Source
    from batch.records import Known, Request


@dataclass(slots=True)
class Plan:
    """The requests of a job, counted by where they stand, and those to be sent by target.

    Requests in one of the states ``sending`` are to be sent.
    """

    sending: frozenset[State] = TO_RUN
    states: Counter[State] = field(default_factory=Counter)
    to_send: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All requests of the job."""
        return self.states.total()

    @property
    def settled(self) -> int:
        """Requests that this run leaves alone."""
        return self.total - self.to_send.total()

    @property
    def given_up(self) -> int:
        """Failed requests that this run leaves alone."""
        return 0 if State.REFUSED in self.sending else self.states[State.REFUSED]


def open_source(job: JobFile) -> JobSource:
    """The job's requests. The embedded engine and its weights are a part of their identity."""
    identities = {model.id: identity(model.engine) for model in job.models if model.engine}
    return JobSource(job, identities, canonical)


def canonical(provider: str, model: str) -> str:
    """The name under which a provider knows a model. Raises ``ModelNotFoundError``."""
    return autonomous.canonical(model) if provider == "autonomous" else model


def draw_up(
    source: JobSource, known: Callable[[str], Known | None], sending: frozenset[State] = TO_RUN
) -> Plan:
    """Go through the whole job once; ``known`` tells what the output holds of an id.

    Raises ``JobFileError`` with every mistake in the job's inputs.
    """
    plan = Plan(sending)

    def count(request: Request) -> None:
        where = state(request, known(request.id))
        plan.states[where] += 1
        if where in sending:
            plan.to_send[request.target] += 1

    check(source, count)
    return plan


class Allowance:
    """How many requests may be sent, over all targets; ``None``: no limit. ``used_up``: it cut something."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self.used_up = limit == 0

    def pending(self, source: Source, target: str, plan: Plan, sink: Sink) -> Iterator[Request]:
        """The requests of a target that the plan sends, as far as the allowance goes.

        Never more than the plan has counted: what is added to the inputs meanwhile waits for the next run.
        """
        to_send = (
            request
            for request in source.requests(target)
            if state(request, sink.known(request.id)) in plan.sending
        )
        for request in islice(to_send, plan.to_send[target]):
            if self._left is not None:
                if self._left <= 0:
                    self.used_up = True
                    return
                self._left -= 1
            yield request
