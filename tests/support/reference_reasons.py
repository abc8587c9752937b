"""Finish reasons and what they mean, for the reference decoder."""

from __future__ import annotations

import json
from typing import Any

COMPLETE = [
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
    "complete",
    "completed",
    "tool_calls",
    "tool_call",
    "tool_use",
    "function_call",
]
LENGTH = [
    "length",
    "max_tokens",
    "max_output_tokens",
    "model_length",
    "model_context_window_exceeded",
    "token_limit",
]
FILTERED = [
    "content_filter",
    "content_filtered",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "sensitive",
    "refusal",
    "language",
    "image_safety",
]
BROKEN_OFF = [
    "error",
    "abort",
    "aborted",
    "cancelled",
    "canceled",
    "network_error",
    "timeout",
    "insufficient_system_resource",
    "malformed_function_call",
    "unexpected_tool_call",
    "repetition",
    "overloaded",
    "pause_turn",
]
NO_REASON = ("", "null")


def reason_of(value: Any) -> str:
    """A finish reason in lower case. SGLang sends an object with a ``type``."""
    if not value:
        return ""
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        value = value["type"]
    word = value.strip().lower() if isinstance(value, str) else json.dumps(value)
    return "" if word in NO_REASON else word


def is_unknown(reason: str) -> bool:
    """Whether a word is in none of the lists."""
    return not any(reason in words for words in (COMPLETE, LENGTH, FILTERED, BROKEN_OFF))


def class_of_failure(reason: str) -> str:
    """Why a reason that is neither complete nor length fails an answer."""
    if reason in FILTERED:
        return "filtered"
    return "broken off" if reason in BROKEN_OFF else "unknown finish reason"
