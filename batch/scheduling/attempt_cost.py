"""What the attempts of one request have cost, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from batch.scheduling.task import Task


def charge(task: Task, cost: float | None, *, by_provider: bool) -> None:
    """Add the cost of one attempt; ``None``: not known, and so the sum is not known either.

    ``by_provider``: the provider itself has stated it. Without a price, the sum begins with the first such
    statement.
    """
    if cost is None:
        task.cost, task.is_cost_unknown = None, True
        return
    if task.is_cost_unknown or (task.cost is None and not by_provider):
        return
    task.cost = round((task.cost or 0.0) + cost, 12)
    task.has_provider_cost |= by_provider
    task.has_computed_cost |= cost > 0 and not by_provider


def cost_source(task: Task) -> str | UnsetType:
    """Return "provider" or "mixed"; ``UNSET`` where the provider has stated nothing."""
    if task.cost is None or not task.has_provider_cost:
        return UNSET
    return "mixed" if task.has_computed_cost else "provider"
