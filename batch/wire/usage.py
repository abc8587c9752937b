"""Token counts and costs as a server reports them, as far as they can be believed: budgets rest on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from batch.records import Usage
from batch.wire.fields import inner
from batch.wire.provider_cost import COST_KEYS, provider_cost

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_TOKENS = 2**24
"""The largest count that is believed: no model has a context of so many tokens."""

_MAIN_KEYS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_RARE_KEYS = frozenset(
    {
        "input_tokens",
        "input_tokens_details",
        "output_tokens_details",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
        "reasoning_tokens",
    }
)


class UsageReports:
    """Collects what a server reports on one answer, which may be in several events.

    ``cost`` is the server's own statement of what the answer costs, in USD; ``None`` where there is none.
    """

    __slots__ = ("_usage", "cost")

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self.cost: float | None = None

    def add(self, said: Mapping[str, Any]) -> None:
        """Take in one report. Of several, the largest number of each kind counts."""
        self._usage = larger(self._usage, counts(said))
        if not COST_KEYS.isdisjoint(said) and (cost := provider_cost(said)) is not None:
            self.cost = max(cost, self.cost or 0.0)

    def usage(self, *, has_words: bool) -> Usage | None:
        """Return the counts that can be true; ``has_words``: the answer says something."""
        return None if self._usage is None else _possible(believable(self._usage, has_words=has_words))


def count(value: object) -> int | None:
    """Return a number of tokens; ``None`` for anything that is no whole number from 0 to ``MOST_TOKENS``."""
    if value.__class__ is int:
        return value if 0 <= value <= MOST_TOKENS else None
    if isinstance(value, float) and 0 <= value <= MOST_TOKENS and value.is_integer():
        return int(value)
    return None


def counts(said: Mapping[str, Any]) -> Usage:
    """Return the counts of one report, under the names that servers give them.

    ``prompt_tokens`` includes cached tokens, as OpenAI defines it. Anthropic's ``input_tokens`` does not,
    and some gateways pass it on as ``prompt_tokens``: where Anthropic's own counts of cached and written
    tokens do not fit into the prompt, they are added to it.
    """
    prompt, completion = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    total = count(said.get("total_tokens"))
    if _MAIN_KEYS.issuperset(said):
        return Usage(prompt, completion, total)
    of_prompt, of_answer = said.get("prompt_tokens_details"), said.get("completion_tokens_details")
    cached = written = reasoning = None
    if of_prompt.__class__ is dict:
        cached = count(of_prompt.get("cached_tokens"))
        written = _larger(
            count(of_prompt.get("cache_write_tokens")), count(of_prompt.get("cache_creation_tokens"))
        )
    if of_answer.__class__ is dict:
        reasoning = count(of_answer.get("reasoning_tokens"))
    found = Usage(prompt, completion, total, _told(cached), _told(written), _told(reasoning))
    return found if _RARE_KEYS.isdisjoint(said) else larger(found, _under_other_names(said, prompt))


def _under_other_names(said: Mapping[str, Any], prompt: int | None) -> Usage:
    """Return what Anthropic, DeepSeek, Moonshot, xAI and the gateways before them report in further keys."""
    completion = None
    is_anthropic = prompt is None and "input_tokens" in said
    if is_anthropic:
        prompt, completion = count(said["input_tokens"]), count(said.get("output_tokens"))
    read, written = count(said.get("cache_read_input_tokens")), count(said.get("cache_creation_input_tokens"))
    apart = (read or 0) + (written or 0)
    if prompt is not None and apart and (is_anthropic or apart > prompt):
        prompt = count(prompt + apart)
    cached = _larger(count(said.get("prompt_cache_hit_tokens")), count(said.get("cached_tokens")))
    of_input = count(inner(said.get("input_tokens_details"), "cached_tokens"))
    of_output = count(inner(said.get("output_tokens_details"), "reasoning_tokens"))
    reasoning = _larger(count(said.get("reasoning_tokens")), of_output)
    cached = _larger(_larger(read, cached), of_input)
    return Usage(prompt, completion, None, _told(cached), _told(written), _told(reasoning))


def larger(before: Usage | None, now: Usage) -> Usage:
    """Of two reports on one answer the larger counts: a later smaller one never replaces what was counted."""
    if before is None:
        return now
    return Usage(
        _larger(before.prompt_tokens, now.prompt_tokens),
        _larger(before.completion_tokens, now.completion_tokens),
        _larger(before.total_tokens, now.total_tokens),
        _larger_told(before.cached_tokens, now.cached_tokens),
        _larger_told(before.cache_write_tokens, now.cache_write_tokens),
        _larger_told(before.reasoning_tokens, now.reasoning_tokens),
    )


def believable(usage: Usage, *, has_words: bool) -> Usage | None:
    """The report without zeros that cannot be true, ``None`` where nothing is left.

    Every prompt has tokens. An answer that says something (``has_words``) has some, too.
    """
    if 0 not in (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens):
        return usage
    prompt, completion, total = (
        usage.prompt_tokens or None,
        usage.completion_tokens,
        usage.total_tokens or None,
    )
    if has_words and not completion:
        completion = None
        if total is not None and total <= (prompt or 0):  # the sum with that zero
            total = None
    if prompt is None and not completion and total is None:
        return None
    return replace(usage, prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


def _possible(usage: Usage | None) -> Usage | None:
    """Reduce cached and written tokens to what the prompt can hold, the cached ones first."""
    if usage is None or usage.prompt_tokens is None or not (usage.cached_tokens or usage.cache_write_tokens):
        return usage
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    if cached + written <= usage.prompt_tokens:
        return usage
    cached = min(cached, usage.prompt_tokens)
    written = min(written, usage.prompt_tokens - cached)
    return replace(
        usage,
        cached_tokens=cached if usage.cached_tokens else usage.cached_tokens,
        cache_write_tokens=written if usage.cache_write_tokens else usage.cache_write_tokens,
    )


def _told(number: int | None) -> int | UnsetType:
    return UNSET if number is None else number


def _larger_told(before: int | UnsetType | None, now: int | UnsetType | None) -> int | UnsetType | None:
    if not isinstance(before, int) or not isinstance(now, int):
        return before if isinstance(before, int) else now
    return max(before, now)


def _larger(before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return max(before, now)
