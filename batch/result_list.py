"""A list of results that a notebook shows as a table."""

from __future__ import annotations

from batch.html_table import cell, table
from batch.records import Result

MAX_ROWS = 100
"""Rows that are shown; the others are counted."""

_TITLES = ("id", "status", "model", "tokens", "seconds", "text or error")


class Results(list[Result]):
    """A list of results, as from ``[result async for result in batch.stream(job)]``."""

    def _repr_html_(self) -> str:
        """Return a table of the first results."""
        more = len(self) - MAX_ROWS
        rest = f"<p>{cell(f'and {more:,} more')}</p>" if more > 0 else ""
        return table(_TITLES, map(_row, self[:MAX_ROWS])) + rest


def _row(result: Result) -> tuple[object, ...]:
    usage, error = result.usage, result.error
    tokens = None if usage is None else f"{usage.prompt_tokens}+{usage.completion_tokens}"
    status = result.status if error is None else error.code
    words = result.text if error is None else error.message
    return result.id, status, result.model, tokens, result.timings.total, words
