"""Finish reasons: the closed list of the words that servers use, and their meanings.

The words are those of OpenAI, Anthropic, Gemini, Mistral, Cohere, Bedrock, DeepSeek, Z.ai, OpenRouter, vLLM,
SGLang, TGI and Ollama. An unknown word never counts as the end of a complete answer. A job file can add a
server's own words.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Ending(StrEnum):
    """The meaning of a finish reason."""

    COMPLETE = "complete"
    """The answer is complete."""
    LENGTH = "length"
    """The answer was cut off at the token limit."""
    FILTERED = "filtered"
    """A content filter stopped the answer, or the model was not allowed to give it."""
    BROKEN_OFF = "broken_off"
    """An error occurred during the answer, or the answer was not continued."""
    UNKNOWN = "unknown"
    """The word is not in the lists."""


FAILED_ENDINGS = frozenset({Ending.FILTERED, Ending.BROKEN_OFF})
"""The endings that make an answer a failure."""

COMPLETE = frozenset({
    "stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "tool_calls",
    "tool_call", "tool_use", "function_call",
})  # fmt: skip
LENGTH = frozenset({
    "length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded",
    "token_limit", "error_limit",
})  # fmt: skip
FILTERED = frozenset({
    "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii",
    "sensitive", "refusal", "language", "image_safety", "image_prohibited_content", "image_recitation",
    "model_armor", "guardrail_intervened", "error_toxic",
})  # fmt: skip
BROKEN_OFF = frozenset({
    "error", "abort", "aborted", "cancelled", "canceled", "user_cancel", "network_error", "timeout",
    "time_limit", "overloaded", "repetition", "insufficient_system_resource", "malformed_function_call",
    "malformed_response", "malformed_model_output", "malformed_tool_use", "unexpected_tool_call",
    "too_many_tool_calls", "missing_thought_signature", "pause_turn", "load", "unload",
})  # fmt: skip
NONE = frozenset({"", "null"})
"""Words that mean that there is no finish reason."""

BUILT_IN = {
    **dict.fromkeys(COMPLETE, Ending.COMPLETE),
    **dict.fromkeys(LENGTH, Ending.LENGTH),
    **dict.fromkeys(FILTERED, Ending.FILTERED),
    **dict.fromkeys(BROKEN_OFF, Ending.BROKEN_OFF),
}
"""Every built-in word, normalized, with its meaning."""


class FinishReasons(Struct, frozen=True):
    """A job's own words, normalized: for complete answers, and for answers that were cut at their limit."""

    complete: frozenset[str] = frozenset()
    length: frozenset[str] = frozenset()


NO_WORDS = FinishReasons()
"""The words of a job that adds none."""


def normalized(word: str) -> str:
    """Return the word in the form for comparisons: lower case, with ``_`` for hyphens."""
    return word.strip().lower().replace("-", "_")


def classify(word: str | None, own: FinishReasons = NO_WORDS) -> Ending | None:
    """Return the meaning of a finish reason; ``None`` if it is none."""
    known = BUILT_IN.get(word or "")  # the spelling of most servers
    if known is not None:
        return known
    plain = normalized(word or "")
    if plain in NONE:
        return None
    known = BUILT_IN.get(plain)
    if known is not None:
        return known
    if plain in own.complete:
        return Ending.COMPLETE
    return Ending.LENGTH if plain in own.length else Ending.UNKNOWN
