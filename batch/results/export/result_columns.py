"""The columns of a table that every export has: those of results, whatever the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UnsetType

from batch.amounts import rounded
from batch.codec import well_formed
from batch.records import Usage
from batch.results.export.column_kinds import Kind, json_text
from batch.results.export.json_rows import joined_texts
from batch.results.export.protocol import Answer, Column, NotTextError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Result

Value = TypeVar("Value")

_NO_USAGE = Usage()


def reported(value: Value | UnsetType) -> Value | None:
    """Return the value of an optional field, ``None`` if the line does not have it."""
    return None if isinstance(value, UnsetType) else value


def prompt_of(answer: Answer) -> str | None:
    """Return the texts of the messages, joined by empty lines; ``None`` if they are unknown or no text."""
    if answer.messages is None:
        return None
    try:
        return well_formed(joined_texts(answer.messages))
    except NotTextError:
        return None


def _text(name: str, of: Callable[[Result], Any]) -> Column:
    return Column(name, Kind.TEXT, lambda answer: of(answer.result))


def _tokens(name: str) -> Column:
    return Column(name, Kind.INT, lambda answer: reported(getattr(answer.result.usage or _NO_USAGE, name)))


def result_columns(currency: str | None) -> tuple[Column, ...]:
    """Return the columns of results; costs are in ``currency``, ``None`` if it is unknown.

    ``messages``, ``parsed``, ``tool_calls`` and ``metadata`` are JSON.
    """
    return (
        _text("id", lambda result: result.id),
        _text("status", lambda result: result.status),
        Column("prompt", Kind.TEXT, prompt_of),
        Column("messages", Kind.TEXT, lambda answer: json_text(answer.messages)),
        _text("text", lambda result: result.text),
        _text("parsed", lambda result: json_text(result.parsed)),
        _text("verdict", lambda result: result.verdict and str(result.verdict)),
        _text("finish_reason", lambda result: result.finish_reason),
        _text("error_code", lambda result: result.error and result.error.code),
        _text("error_message", lambda result: result.error and result.error.message),
        _text("partial_text", lambda result: result.partial_text),
        _text("reasoning", lambda result: result.reasoning),
        _text("tool_calls", lambda result: json_text(result.tool_calls)),
        _text("refusal", lambda result: result.refusal),
        _text("model", lambda result: result.model),
        _text("served_by", lambda result: result.served_by),
        _text("target", lambda result: result.target),
        _tokens("prompt_tokens"),
        _tokens("completion_tokens"),
        _tokens("total_tokens"),
        _tokens("cached_tokens"),
        _tokens("cache_write_tokens"),
        _tokens("reasoning_tokens"),
        Column("cost", Kind.FLOAT, lambda answer: rounded(answer.result.cost)),
        _text("currency", lambda result: None if result.cost is None else currency),
        _text("cost_source", lambda result: reported(result.cost_source)),
        Column("attempts", Kind.INT, lambda answer: answer.result.attempts),
        Column("seconds", Kind.FLOAT, lambda answer: answer.result.timings.total),
        _text("completed_at", lambda result: result.completed_at),
        _text("metadata", lambda result: json_text(result.metadata or None)),
        _text("fingerprint", lambda result: result.fingerprint),
    )
