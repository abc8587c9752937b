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

GATEWAY_TIMEOUTS = frozenset({504, 524})
"""Statuses with which a gateway stops waiting for a model that may have completed its work."""


MIN_SHARE = 1 / 1000
"""Minimum share of the computed cost; a lower cost reported by a provider is ignored."""


class Rates(Struct, frozen=True):
    """Requests and tokens per minute; ``None``: no limit except the concurrency limit."""

    requests: float | None = None
    tokens: float | None = None


class Reservation(Struct, frozen=True, gc=False):
    """The reservation of an attempt: the expected use in the buckets, the maximum use in the budget."""

    estimate: Estimate
    most: Charge


class Quota:
    """An ``Admission`` with rate limits and a budget, which is shared with the other models.

    ``takes_provider_costs``: costs that the provider reports are in the currency of the price, and take
    precedence over it. ``has_provider_costs``: the provider has reported a cost.
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
        """Return when the buckets admit the request; ``math.inf`` if the budget does not admit it."""
        reservation = self._reservation(task)
        if not self._budget.admits(reservation.most):
            return math.inf
        at = now if self._requests is None else self._requests.ready_at(1, now)
        if self._tokens is not None:
            at = max(at, self._tokens.ready_at(reservation.estimate.expected, now))
        return at

    def reserve(self, task: Task, now: float) -> None:
        """Take the request out of the buckets and reserve its maximum cost in the budget."""
        if not task.attempts and self.price is not None:
            task.cost = 0.0
        reservation = self._reservation(task)
        self._budget.reserve(reservation.most)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(reservation.estimate.expected, now)

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:
        """Book what an ended attempt used, and learn from it."""
        reservation = self._reservation(task)
        task.reservation = None
        prompt, completion = believed(outcome.usage, task.to_send, outcome)
        reported = self._reported(outcome, reservation.estimate, prompt, completion)
        self._budget.settle(reservation.most, reported)
        charge(task, reported.cost, by_provider=reported.by_provider)
        self.has_provider_costs |= reported.by_provider
        for _ in range(outcome.lost):
            self._budget.reserve(reservation.most)
            self._budget.settle(reservation.most, UNKNOWN)
            charge(task, None, by_provider=False)
        if self._tokens is not None and reported.tokens is not None:
            self._tokens.refund(reservation.estimate.expected - reported.tokens, now)
        self._estimator.learn(reservation.estimate, Usage(prompt, completion))
        if isinstance(outcome, Reply) and not task.is_check:
            self._budget.result(failed=False)

    def failed(self) -> None:
        """Count a failed request: a number or share of failures may end the run."""
        self._budget.result(failed=True)

    def _reservation(self, task: Task) -> Reservation:
        """Return the reservation of the request at the head, estimated on first use."""
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

    def _reported(
        self, outcome: Outcome, estimate: Estimate, prompt: int | None, completion: int | None
    ) -> Charge:
        """Return the use of the attempt, as far as known, from plausible ``prompt`` and ``completion``."""
        if isinstance(outcome, Failure) and was_free(outcome):
            return NOTHING
        taken = estimate.prompt if prompt is None else prompt
        cached, written = _of_cache(outcome.usage) if prompt is not None else (0, 0)
        by_price = None if self.price is None else self.price.cost(taken, completion or 0, cached, written)
        reported_cost = self._provider_cost(outcome, by_price)
        is_reported = reported_cost is not None
        if completion is None:
            return Charge(None, reported_cost, is_reported)
        return Charge(taken + completion, reported_cost if is_reported else by_price, is_reported)

    def _provider_cost(self, outcome: Outcome, by_price: float | None) -> float | None:
        """Return the cost that the provider reports, unless it is a default far below the price."""
        if outcome.cost is None or not self._takes_provider_costs:
            return None
        if self.price is None or self.price.is_free:
            return outcome.cost
        least = max(MIN_SHARE * (by_price or 0.0), sys.float_info.min)
        return outcome.cost if outcome.cost >= least else None


class ProviderCosts(UnlimitedAdmission):
    """No limits and no price: every request is admitted, and costs that the provider reports are summed."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.has_provider_costs = False

    def reserve(self, task: Task, now: float) -> None:  # noqa: ARG002 - nothing is reserved
        """Record an attempt of unknown cost."""
        self._budget.unreported += 1

    def settled(self, task: Task, outcome: Outcome, now: float) -> None:  # noqa: ARG002 - as in ``Admission``
        """Book the cost that the provider reports for an ended attempt."""
        if outcome.cost is None and isinstance(outcome, Reply) and not outcome.lost:  # nearly always
            task.cost, task.is_cost_unknown = None, True
            return
        self._budget.unreported -= 1
        self._budget.reserve(NOTHING)
        is_free = isinstance(outcome, Failure) and was_free(outcome)
        cost = 0.0 if is_free else outcome.cost
        by_provider = outcome.cost is not None and not is_free
        self._budget.settle(NOTHING, Charge(None, cost, by_provider))
        charge(task, cost, by_provider=by_provider)
        self.has_provider_costs |= by_provider
        for _ in range(outcome.lost):
            self._budget.unreported += 1
            charge(task, None, by_provider=False)


def _of_cache(usage: Usage | None) -> tuple[int, int]:
    """Return the prompt tokens that were read from a cache, and those that were written to one."""
    return (0, 0) if usage is None else (usage.cached_tokens or 0, usage.cache_write_tokens or 0)


def was_free(failure: Failure) -> bool:
    """Whether a failed attempt used nothing: no model has seen the request, or a server has refused it."""
    if failure.usage is not None or failure.cost is not None:
        return False
    if failure.http_status is not None and failure.http_status >= 300:
        return failure.http_status not in GATEWAY_TIMEOUTS
    return not is_billable(failure.code)
