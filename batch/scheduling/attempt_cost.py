"""The cost of the attempts of one request, and the source of that figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    from batch.scheduling.task import Task


def charge(task: Task, cost: float | None, *, by_provider: bool) -> None:
    """Add the cost of one attempt. ``None``: the cost is unknown, so the sum becomes unknown too.

    ``by_provider``: the provider has reported the cost. Without a price in the job, the sum starts with the
    first reported cost.
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
    """Return "provider" or "mixed"; ``UNSET`` if the provider has reported no cost."""
    if task.cost is None or not task.has_provider_cost:
        return UNSET
    return "mixed" if task.has_computed_cost else "provider"
