"""A comparison of two outputs as text: its changes, and its totals."""

from __future__ import annotations

from itertools import chain, islice
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec import UNSET

from batch.cli.console import bold, counted, green, red
from batch.cli.word_diff import word_diff
from batch.codec import encode_json
from batch.display_width import cut, cut_front, display_width, without_variants
from batch.report.numbers import NONE, count, duration, money
from batch.results.comparison.changes import (
    DIFFERENCES,
    Change,
    answer_of,
    are_parsed,
    circumstances,
    code_of,
)
from batch.results.comparison.field_changes import field_changes
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batch.app.inspect.diff import Comparison, Pair, Side, Totals
    from batch.records import Result
    from batch.results.comparison.field_changes import FieldChange
    from batch.results.comparison.measures import Measures

_MOST_FIELDS = 8
"""Fields of one structured answer that are shown."""

_LONGEST_VALUE = 300
"""Characters of a value and of an answer's first words that are looked at."""

_NARROWEST = 20
_NONE = "(none)"
_CIRCUMSTANCES = {"served_by": "served by", "finish_reason": "finish reason"}
"""Names of fields that are not their words."""


def in_words(comparison: Comparison, width: int, limit: int, *, colour: bool) -> Iterator[str]:
    """Yield the changes kind by kind, at most ``limit`` of each, as escaped lines of at most ``width``."""
    for change in DIFFERENCES:
        number = comparison.totals.changes[change]
        if not number:
            continue
        heading = f"{change.words}: {number}"
        yield bold(heading) if colour else heading
        for pair in islice(comparison.pairs(change), limit):
            yield f"  {cut_front(escape(without_variants(pair.id)), width - 2)}"
            for line in _lines(pair, width - 4, colour=colour):
                yield f"    {line}"
        if number > limit:
            yield f"  … {number - limit} more; `--limit {number}` shows all"
        yield ""


def _lines(pair: Pair, width: int, *, colour: bool) -> Iterator[str]:
    if pair.before is None or pair.after is None:
        yield from filter(None, [_first_words(pair.after or pair.before, width)])
        return
    if "failed" in (pair.before.status, pair.after.status):
        for mark, result in (("-", pair.before), ("+", pair.after)):
            line = f"{mark} {_first_words(result, width - 2)}"
            paint = red if result.status == "failed" else green
            yield paint(line) if colour else line
        return
    for name in circumstances(pair.before, pair.after):
        before, after = (_name(getattr(result, name)) for result in (pair.before, pair.after))
        yield cut(f"{_CIRCUMSTANCES.get(name, name)}: {before} → {after}", width)
    if are_parsed(pair.before, pair.after):
        yield from _fields(pair.before, pair.after, width, colour=colour)
    else:
        yield from word_diff(answer_of(pair.before), answer_of(pair.after), width, colour=colour)


def _first_words(result: Result | None, width: int) -> str:
    """Return the beginning of an answer, or an error code with the beginning of its message."""
    if result is None:
        return ""
    text = f"{code_of(result)}: {result.error.message}" if result.error is not None else answer_of(result)
    words = " ".join(text.lstrip()[:_LONGEST_VALUE].split())
    return cut(escape(without_variants(words), limit=_LONGEST_VALUE), width)


def _fields(before: Result, after: Result, width: int, *, colour: bool) -> Iterator[str]:
    """Yield the fields that differ: two long texts word by word, and other values in one line."""
    changes = field_changes(before.parsed, after.parsed)
    for change in islice(changes, _MOST_FIELDS):
        yield from _field(change, width, colour=colour)
    if more := sum(1 for _ in changes):
        yield f"… {counted(more, 'more field')}"


def _field(change: FieldChange, width: int, *, colour: bool) -> Iterator[str]:
    name = cut_front(escape(without_variants(change.path or "value")), width * 2 // 3)
    before, after = _value(change.before), _value(change.after)
    line = f"{name}: {before} → {after}"
    if display_width(line) <= width or not (isinstance(change.before, str) and isinstance(change.after, str)):
        yield cut(line, width)
        return
    yield f"{name}:"
    for each in word_diff(change.before, change.after, width - 2, colour=colour):
        yield f"  {each}"


def _name(value: str | None) -> str:
    return _NONE if value is None else escape(without_variants(value), limit=_LONGEST_VALUE)


def _value(value: object) -> str:
    """Return a value as JSON, escaped."""
    if value is UNSET:
        return _NONE
    text = value if isinstance(value, str) else encode_json(value).decode()
    shown = escape(without_variants(text[: _LONGEST_VALUE + 1]), limit=_LONGEST_VALUE)
    return f'"{shown}"' if isinstance(value, str) else shown


def totals(numbers: Totals, before: Side, after: Side, width: int) -> Iterator[str]:
    """Yield the counts, and the tokens, the cost and the times of the requests that both outputs have."""
    sentences = chain(_counts(numbers), _damaged(numbers, before, after))
    for sentence in sentences:
        yield from wrap(sentence, max(width, _NARROWEST), subsequent_indent="  ")
    if numbers.in_both:
        yield from _table(numbers.before, numbers.after, before, after)


def _counts(numbers: Totals) -> Iterator[str]:
    changes = numbers.changes
    if not changes:
        yield "no request to compare"
    if numbers.in_both:
        kinds = (Change.SAME, Change.CHANGED, Change.NOW_FAILING, Change.NOW_SUCCEEDING)
        yield f"{counted(numbers.in_both, 'request')} in both: {_counted(numbers, kinds)}"
    if numbers.circumstances:
        named = (
            f"another {_CIRCUMSTANCES.get(name, name)}: {count(number)}"
            for name, number in numbers.circumstances.items()
        )
        yield f"  of the same ones, {', '.join(named)}"
    if only := _counted(numbers, (Change.REMOVED, Change.ADDED)):
        yield only
    if numbers.never_superseded:
        yield f"{counted(numbers.never_superseded, 'result')} without a superseded answer, not compared"


def _damaged(numbers: Totals, before: Side, after: Side) -> Iterator[str]:
    for side, damaged in zip((before, after), numbers.damaged, strict=True):
        if damaged:
            yield f"{counted(damaged, 'damaged line')} of {escape(str(side.output))}, not compared"


def _counted(numbers: Totals, kinds: Iterable[Change]) -> str:
    present = (kind for kind in kinds if numbers.changes[kind])
    return ", ".join(f"{count(numbers.changes[kind])} {kind.words}" for kind in present)


def _table(before: Measures, after: Measures, old: Side, new: Side) -> Iterator[str]:
    rows = [("", "before", "after", "difference")]
    rows.append(_row("tokens in", before.prompt_tokens, after.prompt_tokens, count))
    rows.append(_row("tokens out", before.completion_tokens, after.completion_tokens, count))
    rows.append(_cost_row(before, after, old, new))
    latencies = before.latency() or (None, None), after.latency() or (None, None)
    for name, old_time, new_time in zip(("median latency", "90th percentile"), *latencies, strict=True):
        rows.append(_row(name, old_time, new_time, duration))
    yield from _aligned(row for row in rows if row[1:3] != (NONE, NONE))
    is_priced = before.cost is not None or after.cost is not None
    if is_priced and (before.unpriced or after.unpriced):
        yield f"unknown cost: {before.unpriced} before, {after.unpriced} after"


def _cost_row(before: Measures, after: Measures, old: Side, new: Side) -> tuple[str, str, str, str]:
    shown = money(before.cost, old.currency), money(after.cost, new.currency)
    is_comparable = old.currency == new.currency and not (before.unpriced or after.unpriced)
    difference = _difference(before.cost, after.cost, lambda cost: money(cost, None))
    return "cost", *shown, difference if is_comparable else NONE


def _row(
    name: str, before: float | None, after: float | None, shown: Callable[..., str]
) -> tuple[str, str, str, str]:
    texts = (NONE if value is None else shown(value) for value in (before, after))
    return name, *texts, _difference(before, after, shown)  # type: ignore[return-value]


def _difference(before: float | None, after: float | None, shown: Callable[..., str]) -> str:
    """Return a difference with its sign, and as a share of the value before."""
    if before is None or after is None:
        return NONE
    if before == after:
        return "0"
    sign = "+" if after > before else "-"
    share = f" ({sign}{abs(after - before) / before:.0%})" if before else ""
    return f"{sign}{shown(abs(after - before))}{share}"


def _aligned(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, *cells in table:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *right])
