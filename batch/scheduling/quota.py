"""The admission control of one model: its rate limits, its price, and its part of the run's budget."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.failure_codes import is_billable
from batch.records import Failure, Reply, Usage
from batch.scheduling.admission import UnlimitedAdmission
from batch.scheduling.attempt_cost import charge
from batch.scheduling.budget import NOTHING, UNKNOWN, Charge
from batch.scheduling.token_bucket import TokenBucket
from batch.scheduling.token_estimate import Estimate, Estimator
from batch.scheduling.usage_plausibility import believed

if TYPE_CHECKING:
    from batch.records import Outcome
    from batch.scheduling.budget import Budget
    from batch.scheduling.pricing import Price
    from batch.scheduling.task import Task

GATEWAY_GAVE_UP = frozenset({504, 524})
"""Statuses with which a gateway stops waiting for a model that may yet have worked to the end."""


LEAST_SHARE = 1 / 1000
"""The part of what an attempt costs by the price below which a provider's own statement is not believed."""


class Rates(Struct, frozen=True):
    """Requests and tokens a minute; ``None``: as many as there are slots for."""

    requests: float | None = None
    tokens: float | None = None


class Reservation(Struct, frozen=True, gc=False):
    """What was set aside for an attempt: by the buckets what is expected, by the budget the most."""

    estimate: Estimate
    most: Charge


class Quota:
    """An ``Admission`` that measures what is sent. ``budget`` is shared with the other models'
    admission controls.

    ``takes_provider_costs``: costs that the provider states are in the currency of the price, and go before
    it. ``has_provider_costs`` says whether it has stated any.
    """

    def __init__(
        self, budget: Budget, rates: Rates, price: Price | None = None, *, takes_provider_costs: bool = True
    ) -> None:
        self._budget = budget
        self.price = price
        self.has_provider_costs = False
        self._takes_provider_costs = takes_provider_costs
        self._requests = None if rates.requests is None else TokenBucket(rates.requests)
        self._tokens = None if rates.tokens is None else TokenBucket(rates.tokens)
        self._estimator = Estimator()

    @property
    def closed(self) -> bool:
        """Whether a limit of the run is reached."""
        return self._budget.reached is not None

    def ready_at(self, task: Task, now: float) -> float:
        """When the request may go, by the buckets; ``math.inf`` where the budget does not allow it."""
        reservation = self._reservation(task)
        if not self._budget.admits(reservation.most):
            return math.inf
        at = now if self._requests is None else self._requests.ready_at(1, now)
        if self._tokens is not None:
            at = max(at, self._tokens.ready_at(reservation.estimate.expected, now))
        return at

    def reserve(self, task: Task, now: float) -> None:
        """The request goes: take it out of the buckets, and set aside the most that it may cost."""
        if not task.attempts and self.price is not None:
            task.cost = 0.0
        reservation = self._reservation(task)
        self._budget.reserve(reservation.most)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(reservation.estimate.expected, now)

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """The attempt has ended: book what it took, and learn from it."""
        reservation = self._reservation(task)
        task.reservation = None
        prompt, completion = believed(outcome.usage, task.to_send, outcome)
        told = self._told(outcome, reservation.estimate, prompt, completion)
        self._budget.settle(reservation.most, told)
        charge(task, told.cost, by_provider=told.by_provider)
        self.has_provider_costs |= told.by_provider
        for _ in range(outcome.lost):
            self._budget.reserve(reservation.most)
            self._budget.settle(reservation.most, UNKNOWN)
            charge(task, None, by_provider=False)
        if self._tokens is not None and told.tokens is not None:
            self._tokens.give_back(reservation.estimate.expected - told.tokens, now)
        self._estimator.learn(reservation.estimate, Usage(prompt, completion))
        if isinstance(outcome, Reply) and not task.is_check:
            self._budget.result(failed=False)

    def failed(self) -> None:
        """A request has failed: a number or a share of failures may end the run."""
        self._budget.result(failed=True)

    def _reservation(self, task: Task) -> Reservation:
        """What the request at the head may take, estimated when it is first looked at."""
        if task.reservation is None:
            estimate = self._estimator.estimate(task.to_send)
            task.reservation = Reservation(
                estimate, self._most(estimate.prompt, estimate.longest or estimate.completion)
            )
        reservation: Reservation = task.reservation
        return reservation

    def _most(self, prompt: float, completion: float) -> Charge:
        cost = None if self.price is None else self.price.most(prompt, completion)
        return Charge(prompt + completion, cost)

    def _told(
        self, outcome: Outcome, estimate: Estimate, prompt: int | None, completion: int | None
    ) -> Charge:
        """What the attempt took, as far as that is known, of believed ``prompt`` and ``completion``."""
        if isinstance(outcome, Failure) and was_free(outcome):
            return NOTHING
        taken = estimate.prompt if prompt is None else prompt
        cached, written = _of_cache(outcome.usage) if prompt is not None else (0, 0)
        by_price = None if self.price is None else self.price.cost(taken, completion or 0, cached, written)
        stated = self._stated(outcome, by_price)
        is_stated = stated is not None
        if completion is None:
            return Charge(None, stated, is_stated)
        return Charge(taken + completion, stated if is_stated else by_price, is_stated)

    def _stated(self, outcome: Outcome, by_price: float | None) -> float | None:
        """The cost that the provider states. Next to nothing beside a price is no statement but a default."""
        if outcome.cost is None or not self._takes_provider_costs:
            return None
        if self.price is None or self.price.is_free:
            return outcome.cost
        least = max(LEAST_SHARE * (by_price or 0.0), sys.float_info.min)
        return outcome.cost if outcome.cost >= least else None


class ProviderCosts(UnlimitedAdmission):
    """No limits and no price: everything may go at once. Costs that the provider states are added up."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.has_provider_costs = False

    def reserve(self, task: Task, now: float) -> None:  # noqa: ARG002 - nothing is set aside
        """The request goes: what it costs is not known yet."""
        self._budget.untold += 1

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - as in ``Admission``
        """The attempt has ended: book what the provider states."""
        if outcome.cost is None and isinstance(outcome, Reply) and not outcome.lost:  # as nearly always
            task.cost, task.is_cost_unknown = None, True
            return
        self._budget.untold -= 1
        self._budget.reserve(NOTHING)
        is_free = isinstance(outcome, Failure) and was_free(outcome)
        cost = 0.0 if is_free else outcome.cost
        by_provider = outcome.cost is not None and not is_free
        self._budget.settle(NOTHING, Charge(None, cost, by_provider))
        charge(task, cost, by_provider=by_provider)
        self.has_provider_costs |= by_provider
        for _ in range(outcome.lost):
            self._budget.untold += 1
            charge(task, None, by_provider=False)


def _of_cache(usage: Usage | None) -> tuple[int, int]:
    """Tokens of the prompt that were read from a cache, and those that were written to one."""
    return (0, 0) if usage is None else (usage.cached_tokens or 0, usage.cache_write_tokens or 0)


def was_free(failure: Failure) -> bool:
    """Whether a failed attempt took nothing: no model has seen the request, or a server has refused it."""
    if failure.usage is not None or failure.cost is not None:
        return False
    if failure.http_status is not None and failure.http_status >= 300:
        return failure.http_status not in GATEWAY_GAVE_UP
    return not is_billable(failure.code)
