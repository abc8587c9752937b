"""What a finish reason says about the answer: the closed list of the words that servers use.

The words are those of OpenAI, Anthropic, Gemini, Mistral, Cohere, Bedrock, DeepSeek, Z.ai, OpenRouter, vLLM,
SGLang, TGI and Ollama. A word that is not in the list is never taken for the end of a whole answer. A job
file can add a server's own words.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Ending(StrEnum):
    """What a finish reason says about the answer."""

    COMPLETE = "complete"
    """The answer is whole."""
    LENGTH = "length"
    """The answer was cut off at the token limit."""
    FILTERED = "filtered"
    """A content filter stopped the answer, or the model was not allowed to give it."""
    BROKEN_OFF = "broken_off"
    """Something went wrong while the model answered, or the answer was not continued."""
    UNKNOWN = "unknown"
    """The word is not in the lists."""


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
"""Words that stand for no finish reason."""

BUILT_IN = {
    **dict.fromkeys(COMPLETE, Ending.COMPLETE),
    **dict.fromkeys(LENGTH, Ending.LENGTH),
    **dict.fromkeys(FILTERED, Ending.FILTERED),
    **dict.fromkeys(BROKEN_OFF, Ending.BROKEN_OFF),
}
"""Every built-in word, normalized, and what it says."""


class FinishReasons(Struct, frozen=True):
    """A job's own words, normalized: those of a whole answer, and those of one that was cut at its limit."""

    complete: frozenset[str] = frozenset()
    length: frozenset[str] = frozenset()


NO_WORDS = FinishReasons()
"""The words of a job that adds none."""


def normalized(word: str) -> str:
    """The form in which words are compared: in lower case, with ``_`` for hyphens."""
    return word.strip().lower().replace("-", "_")


def classify(word: str | None, own: FinishReasons = NO_WORDS) -> Ending | None:
    """What a finish reason says; ``None`` where it is no finish reason."""
    known = BUILT_IN.get(word or "")  # as most servers write them
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
