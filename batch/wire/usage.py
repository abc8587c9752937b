"""Plausible token counts and costs from the reports of a server; budgets depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from batch.records import Usage
from batch.wire.fields import inner
from batch.wire.provider_cost import COST_KEYS, provider_cost

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TOKENS = 2**24
"""Maximum plausible count: no model has a context of so many tokens."""

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
    """Collects the usage reports of one answer, which may be in several events.

    ``cost`` is the cost of the answer as the server reports it, in USD; ``None`` if it does not.
    """

    __slots__ = ("_usage", "cost")

    def __init__(self) -> None:
        self._usage: Usage | None = None
        self.cost: float | None = None

    def add(self, report: Mapping[str, Any]) -> None:
        """Add one report. Of several, the largest number of each kind counts."""
        self._usage = larger(self._usage, counts(report))
        if not COST_KEYS.isdisjoint(report) and (cost := provider_cost(report)) is not None:
            self.cost = max(cost, self.cost or 0.0)

    def usage(self, *, has_words: bool) -> Usage | None:
        """Return the plausible counts; ``has_words``: the answer has output."""
        return None if self._usage is None else _possible(plausible(self._usage, has_words=has_words))


def count(value: object) -> int | None:
    """Return a number of tokens; ``None`` for anything but a whole number from 0 to ``MAX_TOKENS``."""
    if value.__class__ is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, float) and 0 <= value <= MAX_TOKENS and value.is_integer():
        return int(value)
    return None


def counts(report: Mapping[str, Any]) -> Usage:
    """Return the counts of one report, under the names that servers give them.

    ``prompt_tokens`` includes cached tokens, as OpenAI defines it. Anthropic's ``input_tokens`` does not
    include them, and some gateways forward it as ``prompt_tokens``. If Anthropic's own counts of cached and
    written tokens exceed the prompt, they are added to it.
    """
    prompt, completion = count(report.get("prompt_tokens")), count(report.get("completion_tokens"))
    total = count(report.get("total_tokens"))
    if _MAIN_KEYS.issuperset(report):
        return Usage(prompt, completion, total)
    of_prompt, of_answer = report.get("prompt_tokens_details"), report.get("completion_tokens_details")
    cached = written = reasoning = None
    if of_prompt.__class__ is dict:
        cached = count(of_prompt.get("cached_tokens"))
        written = _larger(
            count(of_prompt.get("cache_write_tokens")), count(of_prompt.get("cache_creation_tokens"))
        )
    if of_answer.__class__ is dict:
        reasoning = count(of_answer.get("reasoning_tokens"))
    found = Usage(prompt, completion, total, _or_unset(cached), _or_unset(written), _or_unset(reasoning))
    return found if _RARE_KEYS.isdisjoint(report) else larger(found, _under_other_names(report, prompt))


def _under_other_names(report: Mapping[str, Any], prompt: int | None) -> Usage:
    """Return the counts under other keys: of Anthropic, DeepSeek, Moonshot, xAI and gateways before them."""
    completion = None
    is_anthropic = prompt is None and "input_tokens" in report
    if is_anthropic:
        prompt, completion = count(report["input_tokens"]), count(report.get("output_tokens"))
    read, written = (
        count(report.get("cache_read_input_tokens")),
        count(report.get("cache_creation_input_tokens")),
    )
    apart = (read or 0) + (written or 0)
    if prompt is not None and apart and (is_anthropic or apart > prompt):
        prompt = count(prompt + apart)
    cached = _larger(count(report.get("prompt_cache_hit_tokens")), count(report.get("cached_tokens")))
    of_input = count(inner(report.get("input_tokens_details"), "cached_tokens"))
    of_output = count(inner(report.get("output_tokens_details"), "reasoning_tokens"))
    reasoning = _larger(count(report.get("reasoning_tokens")), of_output)
    cached = _larger(_larger(read, cached), of_input)
    return Usage(prompt, completion, None, _or_unset(cached), _or_unset(written), _or_unset(reasoning))


def larger(before: Usage | None, now: Usage) -> Usage:
    """Return the larger counts of two reports on one answer: a smaller count never replaces a larger one."""
    if before is None:
        return now
    return Usage(
        _larger(before.prompt_tokens, now.prompt_tokens),
        _larger(before.completion_tokens, now.completion_tokens),
        _larger(before.total_tokens, now.total_tokens),
        _larger_or_unset(before.cached_tokens, now.cached_tokens),
        _larger_or_unset(before.cache_write_tokens, now.cache_write_tokens),
        _larger_or_unset(before.reasoning_tokens, now.reasoning_tokens),
    )


def plausible(usage: Usage, *, has_words: bool) -> Usage | None:
    """Return the report without implausible zeros; ``None`` if nothing is left.

    Every prompt has tokens. An answer with output (``has_words``) has some too.
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
        if total is not None and total <= (prompt or 0):  # the sum includes that zero
            total = None
    if prompt is None and not completion and total is None:
        return None
    return replace(usage, prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


def _possible(usage: Usage | None) -> Usage | None:
    """Reduce cached and written tokens to the size of the prompt, the cached ones first."""
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


def _or_unset(number: int | None) -> int | UnsetType:
    return UNSET if number is None else number


def _larger_or_unset(before: int | UnsetType | None, now: int | UnsetType | None) -> int | UnsetType | None:
    if not isinstance(before, int) or not isinstance(now, int):
        return before if isinstance(before, int) else now
    return max(before, now)


def _larger(before: int | None, now: int | None) -> int | None:
    if before is None or now is None:
        return now if before is None else before
    return max(before, now)
