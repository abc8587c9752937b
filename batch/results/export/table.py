"""Export as table rows, for CSV and Parquet: every file has the same columns with the same types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UnsetType

from batch.codec import encode_json
from batch.records import Usage

if TYPE_CHECKING:
    from batch.records import Result

Value = TypeVar("Value")

COLUMNS: dict[str, str] = {
    "id": "string",
    "status": "string",
    "text": "string",
    "parsed": "string",
    "verdict": "string",
    "finish_reason": "string",
    "error_code": "string",
    "error_message": "string",
    "partial_text": "string",
    "reasoning": "string",
    "tool_calls": "string",
    "refusal": "string",
    "model": "string",
    "served_by": "string",
    "prompt_tokens": "int64",
    "completion_tokens": "int64",
    "total_tokens": "int64",
    "cost": "float64",
    "attempts": "int64",
    "seconds": "float64",
    "completed_at": "string",
    "metadata": "string",
    "fingerprint": "string",
    "cached_tokens": "int64",
    "cache_write_tokens": "int64",
    "reasoning_tokens": "int64",
    "cost_source": "string",
}
"""The columns and their types, by pyarrow's names. ``parsed``, ``tool_calls`` and ``metadata`` are JSON."""


def row(result: Result) -> dict[str, Any]:
    """Return the cells of a result by column name; ``None`` for a missing value."""
    usage, error = result.usage or Usage(), result.error
    return {
        "id": result.id,
        "status": result.status,
        "text": result.text,
        "parsed": _json(result.parsed),
        "verdict": result.verdict and str(result.verdict),
        "finish_reason": result.finish_reason,
        "error_code": error and error.code,
        "error_message": error and error.message,
        "partial_text": result.partial_text,
        "reasoning": result.reasoning,
        "tool_calls": _json(result.tool_calls),
        "refusal": result.refusal,
        "model": result.model,
        "served_by": result.served_by,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "cost": result.cost,
        "attempts": result.attempts,
        "seconds": result.timings.total,
        "completed_at": result.completed_at,
        "metadata": _json(result.metadata or None),
        "fingerprint": result.fingerprint,
        "cached_tokens": reported(usage.cached_tokens),
        "cache_write_tokens": reported(usage.cache_write_tokens),
        "reasoning_tokens": reported(usage.reasoning_tokens),
        "cost_source": reported(result.cost_source),
    }


def reported(value: Value | UnsetType) -> Value | None:
    """Return the value of an optional field, ``None`` if the line does not have it."""
    return None if isinstance(value, UnsetType) else value


def _json(value: object) -> str | None:
    return None if value is None else encode_json(value).decode()
