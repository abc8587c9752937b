"""The limits and the spending of one run: the admission controls of its models, and their measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.app.setup.price_tables import price_of
from batch.jobfile.job import USD
from batch.scheduling.admission import UnlimitedAdmission
from batch.scheduling.budget import Budget, FailureLimit
from batch.scheduling.quota import ProviderCosts, Quota, Rates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.jobfile.job import JobFile, Limits, Model
    from batch.scheduling.admission import Admission


class Spending(Struct, frozen=True):
    """The cost of a run's attempts, in the currency of the job.

    ``cost`` is the known sum; ``None`` if a model has no price and no provider states costs.
    ``provider_cost`` is the part of it that providers stated; ``None`` if there is none. ``unmetered`` counts
    the attempts that are not in ``cost``, because their usage is unknown.
    """

    cost: float | None = None
    provider_cost: float | None = None
    unmetered: int = 0


class Quotas:
    """The run's budget over ``models``, those that it sends to."""

    def __init__(self, job: JobFile, models: Iterable[Model]) -> None:
        limits = job.limits
        self.budget = Budget(tokens=limits.tokens, cost=limits.cost, failures=_failure_limit(limits))
        self._currency = job.currency
        self._limited = any(limit is not None for limit in (limits.tokens, limits.cost, limits.failures))
        self._prices = {model.id: price_of(model, self._currency) for model in models}
        self._admissions: dict[str, Quota | ProviderCosts] = {}

    def admission(self, model: Model) -> Admission:
        """Return the admission control of the model. Costs that providers state are in USD."""
        rates = Rates(model.rate_limits.rpm, model.rate_limits.tpm)
        price, is_usd = self._prices[model.id], self._currency == USD
        if self._limited or price is not None or rates != Rates():
            quota = Quota(self.budget, rates, price, takes_provider_costs=is_usd)
            self._admissions[model.id] = quota
            return quota
        if not is_usd:
            return UnlimitedAdmission()
        return self._admissions.setdefault(model.id, ProviderCosts(self.budget))

    def spending(self) -> Spending:
        """Return what the run has spent so far."""
        if not self._prices or not all(map(self._is_known, self._prices)):
            return Spending()
        budget = self.budget
        stated = None if budget.provider_cost is None else round(budget.provider_cost, 9)
        return Spending(round(budget.cost.known, 9), stated, budget.unreported)

    def _is_known(self, target: str) -> bool:
        admission = self._admissions.get(target)
        return self._prices[target] is not None or (admission is not None and admission.has_provider_costs)


def _failure_limit(limits: Limits) -> FailureLimit:
    failures = limits.failures
    return FailureLimit() if failures is None else FailureLimit(failures.number, failures.share)
