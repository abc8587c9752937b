"""Tokens and costs as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from batch.amounts import amount_text

if TYPE_CHECKING:
    from batch.run_summary import Summary


class Tokens(Protocol):
    """Sums of tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int


def tokens(counts: Tokens) -> str:
    """Return the tokens as text: ``90 in (64 cached), 20 out (12 reasoning)``."""
    of_prompt = {"cached": counts.cached_tokens, "written to a cache": counts.cache_write_tokens}
    inside, outside = _parts(of_prompt), _parts({"reasoning": counts.reasoning_tokens})
    return f"{counts.prompt_tokens} in{inside}, {counts.completion_tokens} out{outside}"


def cost(summary: Summary) -> str:
    """Return the cost of a run as text for its last line; empty if it is unknown."""
    if summary.cost is None or not summary.attempts:
        return ""
    unmetered = f" and {summary.unmetered} of unknown cost" if summary.unmetered else ""
    return f", cost {amount_text(summary.cost, summary.currency)}{_stated(summary)}{unmetered}"


def _stated(summary: Summary) -> str:
    if summary.provider_cost is None:
        return ""
    if summary.provider_cost == summary.cost:
        return " (stated by the provider)"
    return f" ({amount_text(summary.provider_cost, summary.currency)} of it stated by the provider)"


def _parts(numbers: dict[str, int]) -> str:
    named = [f"{number} {name}" for name, number in numbers.items() if number]
    return f" ({', '.join(named)})" if named else ""
