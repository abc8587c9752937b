"""What the attempts of one request have cost, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from batch.scheduling.task import Task


def charge(work: Task, cost: float | None, *, by_provider: bool) -> None:
    """Add the cost of one attempt; ``None``: not known, and so the sum is not known either.

    ``by_provider``: the provider itself has stated it. Without a price, the sum begins with the first such
    statement.
    """
    if cost is None:
        work.cost, work.is_cost_unknown = None, True
        return
    if work.is_cost_unknown or (work.cost is None and not by_provider):
        return
    work.cost = round((work.cost or 0.0) + cost, 12)
    work.has_provider_cost |= by_provider
    work.has_computed_cost |= cost > 0 and not by_provider


def cost_source(work: Task) -> str | UnsetType:
    """Return "provider" or "mixed"; ``UNSET`` where the provider has stated nothing."""
    if work.cost is None or not work.has_provider_cost:
        return UNSET
    return "mixed" if work.has_computed_cost else "provider"
