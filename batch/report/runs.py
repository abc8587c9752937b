"""The runs of an output as the page shows them, from its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.exit_codes import SUCCESS, in_words
from batch.report.chart import draw
from batch.report.model import Fact, RunView
from batch.report.numbers import count, duration, moment, money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.results.run_record import RunRecord
    from batch.run_summary import Summary

MAX_RUNS = 100
"""Runs that are listed, the latest ones."""

MAX_CHARTS = 20
"""Runs whose course is drawn, the latest ones."""


def views(history: Sequence[RunRecord], *, has_text: bool) -> list[RunView]:
    """Return the latest runs, the last one first. Without ``has_text``, reasons are omitted: they quote."""
    latest = list(reversed(history))[:MAX_RUNS]
    return [
        _view(record, draws=number < MAX_CHARTS, has_text=has_text) for number, record in enumerate(latest)
    ]


def _view(record: RunRecord, *, draws: bool, has_text: bool) -> RunView:
    summary = record.summary
    return RunView(
        started=moment(summary.started_at),
        ending=in_words(summary.exit_code),
        is_good=summary.exit_code == SUCCESS,
        facts=_facts(summary),
        reasons=summary.reasons if has_text else [],
        chart=draw(record.timeline) if draws else None,
    )


def _facts(summary: Summary) -> list[Fact]:
    facts = [
        Fact("sent", count(summary.sent)),
        Fact("attempts", count(summary.attempts)),
        Fact("duration", duration(summary.seconds)),
        Fact("tokens", f"{count(summary.prompt_tokens)} in, {count(summary.completion_tokens)} out"),
    ]
    if summary.cost is not None and summary.attempts:
        facts.append(Fact("cost", money(summary.cost, summary.currency)))
    if summary.latency is not None:
        times = summary.latency
        facts.append(Fact("latency", f"{duration(times.p50)} median, {duration(times.p90)} 90th percentile"))
    if summary.held_back is not None:
        facts.append(Fact("held back by", summary.held_back, is_bad=True))
    return facts
