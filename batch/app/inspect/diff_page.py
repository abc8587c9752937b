"""A comparison of two outputs as an HTML page: a report of both, whose rows are marked by their changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.app.inspect import report
from batch.report.model import ComparisonView, Entry, Fact, Output, Settings
from batch.report.numbers import count
from batch.results.comparison.changes import Change
from batch.results.run_history import read_history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch.app.inspect.diff import Comparison, Side, Totals
    from batch.records import Result


def write(comparison: Comparison, before: Side, after: Side, path: Path) -> int:
    """Write the page, and return its size in bytes. Raises as ``report.write`` does."""
    outputs = [
        _output("before", before, comparison.results_before()),
        _output("after", after, comparison.results_after()),
    ]
    view = ComparisonView(
        f"{before.output.name} → {after.output.name}", _facts(comparison.totals), Change.SAME.words
    )
    return report.write(outputs, path, Settings(), view)


def _output(name: str, side: Side, results: Iterable[tuple[Result, Change]]) -> Output:
    return Output(name, str(side.output), _entries(results), read_history(side.output), side.currency)


def _entries(results: Iterable[tuple[Result, Change]]) -> Iterator[Entry]:
    for result, change in results:
        yield Entry(result.id, result.status, result, result.messages, change=change.words)


def _facts(totals: Totals) -> list[Fact]:
    """Return how many requests have changed in which way; those that never happened are left out."""
    order = (Change.CHANGED, Change.NOW_FAILING, Change.NOW_SUCCEEDING, Change.ADDED, Change.REMOVED)
    facts = [
        Fact(change.words, count(totals.changes[change]), is_bad=change is Change.NOW_FAILING)
        for change in order
        if totals.changes[change] or change is Change.CHANGED
    ]
    facts.append(Fact(Change.SAME.words, count(totals.changes[Change.SAME])))
    if totals.never_superseded:
        facts.append(Fact("not compared", count(totals.never_superseded), "no superseded answer"))
    return facts
