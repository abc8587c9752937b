"""Sampling parameters that servers know by one name: the values that each can have, and names like theirs.

The rules are those of OpenAI's chat completions, as wide as the servers that copy it have them (vLLM,
llama.cpp, Ollama, SGLang, LM Studio, OpenRouter). ``max_tokens: -1`` means no limit for some of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batch.diagnostics import closest, kind, number_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch.diagnostics import Problem


class _Number(Struct, frozen=True):
    """A number with its bounds, both included; ``also`` is one more value that is allowed."""

    least: float | None = None
    most: float | None = None
    is_whole: bool = False
    also: float | None = None

    def problem(self, value: object) -> Problem | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (self.is_whole and isinstance(value, float) and not value.is_integer()):
            what = f"expected {'a whole number' if self.is_whole else 'a number'}, got {kind(value)}"
            return what, number_hint(value)
        if value == self.also:
            return None
        if self.least is not None and value < self.least:  # type: ignore[operator]
            return f"must be at least {self.least:g}", ""
        if self.most is not None and value > self.most:  # type: ignore[operator]
            return f"must be at most {self.most:g}", ""
        return None


class _Kinds(Struct, frozen=True):
    """A value of one of these types, of which ``words`` says which."""

    types: tuple[type, ...]
    words: str

    def problem(self, value: object) -> Problem | None:
        is_allowed = isinstance(value, self.types) and (bool in self.types or not isinstance(value, bool))
        return None if is_allowed else (f"expected {self.words}, got {kind(value)}", "")


_TOKENS = _Number(least=1, is_whole=True, also=-1)
_COUNT = _Number(least=0, is_whole=True, also=-1)
_SHARE = _Number(least=0, most=1)
_NOT_NEGATIVE = _Number(least=0)
_VALUES: dict[str, _Number | _Kinds] = {
    "temperature": _NOT_NEGATIVE,
    "top_p": _SHARE,
    "min_p": _SHARE,
    "top_k": _COUNT,
    "max_tokens": _TOKENS,
    "max_completion_tokens": _TOKENS,
    "min_tokens": _COUNT,
    "frequency_penalty": _Number(),
    "presence_penalty": _Number(),
    "repetition_penalty": _NOT_NEGATIVE,
    "repeat_penalty": _NOT_NEGATIVE,
    "seed": _Number(is_whole=True),
    "top_logprobs": _Number(least=0, is_whole=True),
    "stop": _Kinds((str, list), "text or a list of texts"),
    "logit_bias": _Kinds((dict,), "keys and values"),
    "tools": _Kinds((list,), "a list"),
}
_OTHER_NAMES = frozenset({
    "logprobs", "response_format", "extra_body", "user", "n", "tool_choice", "parallel_tool_calls",
    "reasoning_effort", "reasoning", "service_tier", "metadata", "store", "functions", "function_call",
    "modalities", "prediction", "verbosity", "top_a", "typical_p", "best_of", "echo", "stop_token_ids",
    "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar", "chat_template_kwargs",
    "ignore_eos", "skip_special_tokens", "length_penalty", "early_stopping", "mirostat", "num_ctx",
    "num_predict", "keep_alive", "options", "think", "thinking", "safe_prompt", "random_seed", "provider",
    "transforms", "models", "route", "plugins", "min_keep", "repeat_last_n", "cache_prompt", "n_predict",
    "top_n_sigma", "dynatemp_range", "prompt_cache_key", "safety_identifier", "web_search_options", "regex",
    "json_schema", "ebnf", "structural_tag", "add_generation_prompt", "continue_final_message",
})  # fmt: skip
_KNOWN = frozenset(_VALUES) | _OTHER_NAMES
_LIKENESS = 0.8


def value_problems(params: Mapping[str, Any]) -> Iterator[tuple[str, Problem]]:
    """Yield the parameters whose values no server can accept, and why. ``null`` stands for no value."""
    for name, rule in _VALUES.items():
        value = params.get(name)
        if value is not None and (problem := rule.problem(value)):
            yield name, problem


def unknown_names(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names that no server is known to have but that are like one, and that one."""
    for name in params.keys() - _KNOWN:
        if meant := closest(name, _KNOWN, cutoff=_LIKENESS):
            yield name, meant
