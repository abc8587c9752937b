"""The cost of an answer as the provider reports it: a number in the usage, in US dollars.

OpenRouter and LiteLLM send ``cost`` (https://openrouter.ai/docs/use-cases/usage-accounting), Perplexity
``cost.total_cost``, other gateways ``total_cost``, DeepInfra ``estimated_cost``, xAI ``cost_in_usd_ticks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.wire.fields import inner

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_COST = 1e6
"""Maximum plausible cost of one answer, in USD."""

COST_KEYS = frozenset({"cost", "total_cost", "estimated_cost", "cost_in_usd_ticks"})
"""The keys of a usage report that may have a cost."""

_TICKS = 1e10
"""xAI's ticks per dollar."""


def provider_cost(usage: Mapping[str, Any]) -> float | None:
    """Return the cost in a usage report; ``None`` if there is no plausible one.

    With the user's own key for the model's vendor ("BYOK"), OpenRouter's ``cost`` is only its fee. The
    vendor's charge is ``cost_details.upstream_inference_cost``, and both are due. ``is_byok: false`` means
    that this number is not an additional cost.
    """
    named = (
        _money(usage.get("cost")),
        _money(inner(usage.get("cost"), "total_cost")),
        _money(usage.get("total_cost")),
        _money(usage.get("estimated_cost")),
        _money(usage.get("cost_in_usd_ticks"), _TICKS),
    )
    cost = next((money for money in named if money is not None), None)
    upstream = _money(inner(usage.get("cost_details"), "upstream_inference_cost"))
    if cost is None or upstream is None or usage.get("is_byok") is False:
        return cost
    return _money(cost + upstream)


def _money(value: object, unit: float = 1.0) -> float | None:
    """Return an amount of money: a number from 0 to ``MAX_COST``, not a string, ``NaN`` or infinity."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_COST * unit:
        return value / unit
    return None
