"""The last lines of a run: the counts, what failed and why, and the command that helps."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, NamedTuple

from batch.cli import money
from batch.cli.console import counted
from batch.exit_codes import REFUSED, UNAVAILABLE
from batch.failure_codes import retry_may_help
from batch.files import relative
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from batch.app.run.failure_news import News
    from batch.run_summary import Summary

MAX_REASON = 400
"""The maximum length of the reason of a failure, in characters."""


class Named(NamedTuple):
    """The lines about failed requests, and the id of the ``first`` of them, ``None`` if none is named."""

    lines: list[str]
    first: str | None


def ending(
    summary: Summary, job: Path, *, has_options: bool = False, named: Named | None = None
) -> list[str]:
    """Return the lines. ``has_options``: options of the command changed the job file.

    ``named`` are the failures to name, by default the first of this run.
    """
    named = named or _failures(summary)
    parts = [f"{summary.succeeded} succeeded"]
    parts += [f"{summary.failed} failed"] if summary.failed else []
    parts += [f"{summary.pending} pending"] if summary.pending else []
    sent = f"{summary.attempts} sent in {summary.seconds:.1f} s" if summary.attempts else "nothing was sent"
    text = f"{summary.name}: {', '.join(parts)} of {summary.total}; {sent}{money.cost(summary)}"
    return [
        f"{text}; {relative(summary.output)}",
        *named.lines,
        *(f"  {reason}" for reason in summary.reasons),
        *_held_back(summary.held_back),
        *_wasted(summary.wasted),
        *_orphans(summary.orphans),
        *_log(summary),
        *_commands(summary, job, named.first, has_options=has_options),
    ]


def news_lines(news: News, reasons: Mapping[str, str], output: str) -> Named:
    """Return the failures that a quiet run names, with their ``reasons``, and the number of the others."""
    new = {failure.id for failure in news.new}
    lines = []
    for failure in news.named:
        state = "failed" if failure.id in new else "still failed"
        why = escape(reasons.get(failure.id, ""), limit=MAX_REASON)
        text = f"{failure.code}: {why}" if why else failure.code
        lines.append(f"  {state}: {failure.id}: {text if failure.is_final else _with_retry(text)}")
    if more := len(news.new) + len(news.again) - len(news.named):
        lines.append(f"  and {more} more; `promptjobs show {_shell(output)} --failed` lists all")
    if news.known:
        lines.append(f"  {'and ' * bool(lines)}{counted(news.known, 'known failure')}")
    return Named(lines, news.named[0].id if news.named else None)


def _with_retry(text: str) -> str:
    if text.endswith((".", "!", "?")):
        return f"{text} The next run sends it again."
    return f"{text}; the next run sends it again"


def _failures(summary: Summary) -> Named:
    """Return the first requests that failed in this run."""
    if not summary.failures:
        return Named([], None)
    named = ", ".join(f"{name} ({code})" for name, code in summary.failures.items())
    others = sum(summary.codes.values()) - len(summary.failures)
    line = f"  failed: {named}{f' and {others} more' if others > 0 else ''}"
    return Named([line], next(iter(summary.failures)))


def _log(summary: Summary) -> list[str]:
    """Return the path of the log, if it says more about what went wrong."""
    path = f"{os.path.realpath(summary.output)}.log"
    has_trouble = summary.failed or summary.exit_code in (REFUSED, UNAVAILABLE)
    return [f"  log: {relative(path)}"] if has_trouble and os.path.exists(path) else []


def _commands(summary: Summary, job: Path, first: str | None, *, has_options: bool) -> list[str]:
    """Return the commands that help: ``show`` for the ``first`` request, ``retry`` if a retry can succeed.

    A retry fails like the first try while an endpoint is parked for the run, such as for its address.
    """
    lines = []
    if first is not None:
        separator = "-- " if first.startswith("-") else ""
        output = _shell(summary.output)
        lines.append(f"  `promptjobs show {output} {separator}{shlex.quote(first)}` shows the first of them")
    if summary.exit_code != REFUSED and any(map(retry_may_help, summary.codes)):
        options = " with the same options" if has_options else ""
        again = f"`promptjobs retry {_shell(str(job))}`{options}"
        lines.append(f"  {again} sends failed requests again")
    return lines


def _held_back(code: str | None) -> list[str]:
    if code is None:
        return []
    from batch.progress import formatting

    return [f"  held back by {formatting.congestion(code)}: below `concurrency` for most of the run"]


def _wasted(number: int) -> list[str]:
    if not number:
        return []
    lost = "1 attempt was lost with its" if number == 1 else f"{number} attempts were lost with their"
    return [f"  {lost} worker process and sent again; the first answer may be billed, too"]


def _orphans(number: int) -> list[str]:
    if not number:
        return []
    lines = "1 line is of a request" if number == 1 else f"{number} lines are of requests"
    return [f"  {lines} that the job no longer has; `--prune` removes them"]


def _shell(path: str) -> str:
    return shlex.quote(relative(path))
