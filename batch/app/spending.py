"""What one run may spend and has spent: the gates of its models, and what they have measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.app.prices import price_of
from batch.policy.budget import Budget, FailureLimit
from batch.policy.gate import OpenGate
from batch.policy.meter import Meter, Rates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.jobfile.job import JobFile, Limits, Model
    from batch.policy.gate import Gate


class Spending:
    """The run's budget over ``models``, those that it sends to."""

    def __init__(self, job: JobFile, models: Iterable[Model]) -> None:
        limits = job.limits
        self.budget = Budget(tokens=limits.tokens, cost=limits.cost, failures=_failure_limit(limits))
        self._limited = any(limit is not None for limit in (limits.tokens, limits.cost, limits.failures))
        self._prices = {model.id: price_of(model) for model in models}

    def gate(self, model: Model) -> Gate:
        """What stands before the model's attempts: open where there is nothing to keep and to measure."""
        rates = Rates(model.rate_limits.rpm, model.rate_limits.tpm)
        price = self._prices[model.id]
        if not self._limited and price is None and rates == Rates():
            return OpenGate()
        return Meter(self.budget, rates, price)

    @property
    def cost(self) -> float | None:
        """What all attempts cost, as far as servers have told; ``None`` where a price is not known."""
        if not self._prices or None in self._prices.values():
            return None
        return round(self.budget.cost.known, 9)

    @property
    def unmetered(self) -> int:
        """Attempts that are not in ``cost``, because no server has told what they took."""
        return 0 if self.cost is None else self.budget.untold


def _failure_limit(limits: Limits) -> FailureLimit:
    failures = limits.failures
    return FailureLimit() if failures is None else FailureLimit(failures.number, failures.share)
