"""The endpoints of one target: one as a rule, or several that serve the same model.

The least busy one that is fit to be asked has the next request. One that is in trouble is parked and probed
like any other, and what it could not serve goes to the others. Only where none is left the target is held.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from batch.policy.retry import Hold
from batch.policy.work import Out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.policy.health import Health
    from batch.policy.work import Settlement, Work
    from batch.records import Failure


class Pool:
    """Endpoints in the job's order, of which there is at least one."""

    def __init__(self, endpoints: Iterable[Health]) -> None:
        self.endpoints = tuple(endpoints)
        self.first = self.endpoints[0]
        self._alone = len(self.endpoints) == 1

    @property
    def held(self) -> Hold | None:
        """Why nobody is asked, where all are held: the one that ends first, else the most pressing."""
        if self._alone:
            return self.first.held
        holds = [each.held for each in self.endpoints if each.held is not None]
        if len(holds) < len(self.endpoints):
            return None
        return min(holds, key=lambda hold: (math.inf if hold.until is None else hold.until, -hold.exit_code))

    @property
    def stopped(self) -> bool:
        """Whether nobody is asked any more in this run."""
        return self.first.stopped and (self._alone or all(each.stopped for each in self.endpoints))

    @property
    def doubted(self) -> bool:
        """Whether the pilot of one has met something strange that is not cleared up yet."""
        return self.first.doubted if self._alone else any(each.doubted for each in self.endpoints)

    def slots(self, now: float) -> int:
        """How many may be under way on all of them that are not held."""
        return sum(each.slots(now) for each in self.endpoints if each.held is None)

    def is_open(self, now: float) -> bool:
        """Whether somebody may be asked now."""
        return self.first.is_open(now) if self._alone else any(each.is_open(now) for each in self.endpoints)

    def due(self, now: float) -> float | None:
        """When somebody may be asked, if no outcome comes before."""
        if self._alone:
            return self.first.due(now)
        return min((due for each in self.endpoints if (due := each.due(now)) is not None), default=None)

    def choose(self, work: Work, now: float) -> Health:
        """Who is asked; somebody must be open. Preferably not the one on which the request has just failed:
        an endpoint that fails fast is never busy, and would draw everything to itself."""
        if self._alone:
            return self.first
        last = work.endpoint if work.failures else None
        free = (each for each in self.endpoints if each.is_open(now))
        return min(free, key=lambda each: (each is last, each.in_flight))

    def gives_up(self, endpoint: Health, failure: Failure) -> Hold | None:
        """Whether an endpoint whose pilot met something strange is left to others, and the request too."""
        others = any(each is not endpoint and not each.stopped for each in self.endpoints)
        return no_chat_server(failure) if endpoint.doubted and others else None

    def settled(self, endpoint: Health, settlement: Settlement, now: float) -> Settlement:
        """Go over the others' fates after an outcome, and say what is to be told of this one's.

        As soon as one has worked, the model's name and the key are right. So those that were held for what
        their pilot met are probed as if they were out: they may be starting up.
        """
        if not self._alone and any(each.proven for each in self.endpoints):
            for each in self.endpoints:
                each.give_another_chance(now)
            if isinstance(settlement, Hold) and endpoint.held is None:
                return Out(settlement.code, settlement.why, endpoint.probed_until)
        return settlement


def no_chat_server(failure: Failure) -> Hold:
    """What is said of an endpoint that is of another kind."""
    return Hold(failure.code, f"this is no chat server: {failure.message}")
