"""What a provider says that an answer costs: a number in its report of usage, in US dollars.

OpenRouter and LiteLLM send ``cost`` (https://openrouter.ai/docs/use-cases/usage-accounting), Perplexity
``cost.total_cost``, other gateways ``total_cost``, DeepInfra ``estimated_cost``, xAI ``cost_in_usd_ticks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.wire.fields import inner

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_COST = 1e6
"""The largest cost of one answer that is believed, in USD."""

COST_KEYS = frozenset({"cost", "total_cost", "estimated_cost", "cost_in_usd_ticks"})
"""The keys of a report of usage under which a cost may stand."""

_TICKS = 1e10
"""Ticks of xAI in one dollar."""


def provider_cost(said: Mapping[str, Any]) -> float | None:
    """Return the cost in a report of usage; ``None`` where there is none that can be believed.

    With a key of the user's own for the model's vendor ("BYOK"), OpenRouter's ``cost`` is its fee alone. What
    the vendor charges is ``cost_details.upstream_inference_cost``, and both are due. ``is_byok: false`` says
    that this number is no further cost.
    """
    named = (
        _money(said.get("cost")),
        _money(inner(said.get("cost"), "total_cost")),
        _money(said.get("total_cost")),
        _money(said.get("estimated_cost")),
        _money(said.get("cost_in_usd_ticks"), _TICKS),
    )
    cost = next((money for money in named if money is not None), None)
    upstream = _money(inner(said.get("cost_details"), "upstream_inference_cost"))
    if cost is None or upstream is None or said.get("is_byok") is False:
        return cost
    return _money(cost + upstream)


def _money(value: object, unit: float = 1.0) -> float | None:
    """Return an amount of money: a number from 0 to ``MOST_COST``, and no text, ``NaN`` or infinity."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_COST * unit:
        return value / unit
    return None
