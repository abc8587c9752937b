"""Rows of results as a table that fits a terminal."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.cli.console import red
from batch.display_width import cut, cut_front, display_width, padded, without_variants
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.app.inspect.listing import Row

_SAMPLE = 200
"""Rows that decide on the widths of the columns; all others are cut to fit."""

_GAP = "  "
_SHORTEST_WORDS = 10
_LONGEST_TEXT = 2000
"""Characters of an answer that are looked at for its first words."""

_HEADS = ("id", "status", "code", "tokens", "first words")


class _Cells(Struct, frozen=True):
    """The cells of one row, escaped."""

    id: str
    status: str
    code: str
    tokens: str
    words: str


class _Widths(Struct, frozen=True):
    """The columns of a table; 0 leaves a column out."""

    id: int
    status: int
    code: int
    tokens: int
    words: int


def table(rows: Iterable[Row], width: int, *, colour: bool) -> Iterator[str]:
    """Yield the lines of a table, each at most ``width`` columns wide. Without rows there is no table."""
    cells = map(_cells, rows)
    sample = list(islice(cells, _SAMPLE))
    if not sample:
        return
    widths = _widths(sample, max(width, 1))
    yield _line(_Cells(*_HEADS), widths)
    for each in chain(sample, cells):
        line = _line(each, widths)
        yield red(line) if colour and each.status == "failed" else line


def _cells(row: Row) -> _Cells:
    return _Cells(escape(without_variants(row.id)), row.status, escape(row.code), _tokens(row), _words(row))


def tokens(row: Row) -> dict[str, int | None] | None:
    """Return the tokens of the prompt and of the answer, as far as the server has counted them."""
    usage = None if row.result is None or row.stale else row.result.usage
    return None if usage is None else {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens}


def _tokens(row: Row) -> str:
    numbers = tokens(row)
    if numbers is None:
        return ""
    return "+".join("?" if number is None else str(number) for number in numbers.values())


def _words(row: Row) -> str:
    """The beginning of the answer or of the error message, on one line."""
    if row.result is None:
        return ""
    if row.stale:
        return "(changed since its last result)"
    result = row.result
    text = result.error.message if result.error is not None else result.text or result.refusal
    if not text and result.tool_calls:
        text = "(tool calls)"
    words = " ".join((text or "").lstrip()[:_LONGEST_TEXT].split())
    return escape(without_variants(words), limit=_LONGEST_TEXT)


def _widths(sample: list[_Cells], width: int) -> _Widths:
    """Share out the width: ids get at most two fifths; tokens, then codes give way to the first words."""

    def widest(column: str) -> int:
        return max(display_width(getattr(each, column)) for each in sample)

    code = min(widest("code"), max(width // 5, 8))
    tokens = widest("tokens")
    status = max(len("status"), widest("status"))
    wanted = max(len("id"), widest("id"))
    for shown_code, shown_tokens in (
        (code and max(code, len("code")), tokens and max(tokens, len("tokens"))),
        (code and max(code, len("code")), 0),
        (0, 0),
    ):
        columns = [status, *filter(None, (shown_code, shown_tokens))]
        fixed = sum(columns) + len(_GAP) * (len(columns) + 1)
        identity = min(wanted, max(width * 2 // 5, len("id")))
        words = width - fixed - identity
        if words >= _SHORTEST_WORDS:
            return _Widths(identity, status, shown_code, shown_tokens, words)
    identity = width - status - len(_GAP)
    if identity >= len("id"):
        return _Widths(min(wanted, identity), status, 0, 0, 0)
    return _Widths(width, 0, 0, 0, 0)


def _line(cells: _Cells, widths: _Widths) -> str:
    parts = [padded(cut_front(cells.id, widths.id), widths.id)]
    if widths.status:
        parts.append(padded(cells.status, widths.status))
    if widths.code:
        parts.append(padded(cut(cells.code, widths.code), widths.code))
    if widths.tokens:
        parts.append(padded(cut(cells.tokens, widths.tokens), widths.tokens, right=True))
    if widths.words:
        parts.append(cut(cells.words, widths.words))
    return _GAP.join(parts).rstrip()
