"""The gate of one model: its rate limits, its price, and its part of the run's budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.policy.buckets import Bucket
from batch.policy.budget import NOTHING, UNKNOWN, Charge
from batch.policy.estimate import Estimate, Estimator, tokens_of
from batch.records import Failure, Reply

if TYPE_CHECKING:
    from batch.policy.budget import Budget
    from batch.policy.prices import Price
    from batch.policy.work import Work
    from batch.records import Outcome

NEVER_SENT = frozenset({"connect", "tls", "proxy_auth", "fd_limit"})
"""Codes of attempts that no model has seen: they take nothing."""

GATEWAY_GAVE_UP = frozenset({504, 524})
"""Statuses with which a gateway stops waiting for a model that may yet have worked to the end."""


class Rates(Struct, frozen=True):
    """Requests and tokens a minute; ``None``: as many as there are slots for."""

    requests: float | None = None
    tokens: float | None = None


class Reservation(Struct, frozen=True, gc=False):
    """What was set aside for an attempt: by the buckets what is expected, by the budget the most."""

    estimate: Estimate
    most: Charge


class Meter:
    """A ``Gate`` that measures what goes through it. ``budget`` is shared with the other models' gates."""

    def __init__(self, budget: Budget, rates: Rates, price: Price | None = None) -> None:
        self._budget = budget
        self.price = price
        self._requests = None if rates.requests is None else Bucket(rates.requests)
        self._tokens = None if rates.tokens is None else Bucket(rates.tokens)
        self._estimator = Estimator()

    @property
    def closed(self) -> bool:
        """Whether a limit of the run is reached."""
        return self._budget.reached is not None

    def ready_at(self, work: Work, now: float) -> float:
        """When the request may go, by the buckets; ``math.inf`` where the budget does not allow it."""
        reservation = self._reservation(work)
        if not self._budget.admits(reservation.most):
            return math.inf
        at = now if self._requests is None else self._requests.ready_at(1, now)
        if self._tokens is not None:
            at = max(at, self._tokens.ready_at(reservation.estimate.expected, now))
        return at

    def reserve(self, work: Work, now: float) -> None:
        """The request goes: take it out of the buckets, and set aside the most that it may cost."""
        if not work.attempts and self.price is not None:
            work.cost = 0.0
        reservation = self._reservation(work)
        self._budget.reserve(reservation.most)
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(reservation.estimate.expected, now)

    def settled(self, work: Work, outcome: Outcome, now: float) -> None:
        """The attempt has ended: book what it took, and learn from it."""
        reservation = self._reservation(work)
        work.reservation = None
        told = self._told(outcome, reservation.estimate)
        self._budget.settle(reservation.most, told)
        work.cost = None if work.cost is None or told.cost is None else round(work.cost + told.cost, 12)
        for _ in range(outcome.lost):
            self._budget.reserve(reservation.most)
            self._budget.settle(reservation.most, UNKNOWN)
            work.cost = None
        if self._tokens is not None and told.tokens is not None:
            self._tokens.give_back(reservation.estimate.expected - told.tokens, now)
        if outcome.usage is not None:
            self._estimator.learn(reservation.estimate, outcome.usage)
        if isinstance(outcome, Reply) and not work.is_check:
            self._budget.result(failed=False)

    def failed(self) -> None:
        """A request has failed: a number or a share of failures may end the run."""
        self._budget.result(failed=True)

    def _reservation(self, work: Work) -> Reservation:
        """What the request at the head may take, estimated when it is first looked at."""
        if work.reservation is None:
            estimate = self._estimator.estimate(work.to_send)
            work.reservation = Reservation(
                estimate, self._charge(estimate.prompt, estimate.longest or estimate.completion)
            )
        reservation: Reservation = work.reservation
        return reservation

    def _told(self, outcome: Outcome, estimate: Estimate) -> Charge:
        """What the attempt took, as far as that is known."""
        if isinstance(outcome, Failure) and was_free(outcome):
            return NOTHING
        prompt, completion = tokens_of(outcome.usage) if outcome.usage is not None else (None, None)
        return self._charge(estimate.prompt if prompt is None else prompt, completion)

    def _charge(self, prompt: float, completion: float | None) -> Charge:
        if completion is None:
            return UNKNOWN
        cost = None if self.price is None else self.price.cost(prompt, completion)
        return Charge(prompt + completion, cost)


def was_free(failure: Failure) -> bool:
    """Whether a failed attempt took nothing: no model has seen the request, or a server has refused it."""
    if failure.usage is not None:
        return False
    if failure.http_status is not None and failure.http_status >= 300:
        return failure.http_status not in GATEWAY_GAVE_UP
    return failure.code in NEVER_SENT
