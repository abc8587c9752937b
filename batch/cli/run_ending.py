"""The last lines of a run: the counts, what failed and why, and the command that helps."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from batch.cli import money
from batch.exit_codes import EXIT_OUT, EXIT_REFUSED
from batch.failure_codes import retry_may_help

if TYPE_CHECKING:
    from batch.records import Summary


def ending(summary: Summary, job: Path, *, has_options: bool = False) -> list[str]:
    """Return the lines. ``has_options``: options of the command changed the job file."""
    parts = [f"{summary.succeeded} succeeded"]
    parts += [f"{summary.failed} failed"] if summary.failed else []
    parts += [f"{summary.pending} pending"] if summary.pending else []
    sent = f"{summary.attempts} sent in {summary.seconds:.1f} s" if summary.attempts else "nothing was sent"
    text = f"{summary.name}: {', '.join(parts)} of {summary.total}; {sent}{money.cost(summary)}"
    return [
        f"{text}; {relative(summary.output)}",
        *_failures(summary),
        *(f"  {reason}" for reason in summary.reasons),
        *_held_back(summary.held_back),
        *_orphans(summary.orphans),
        *_log(summary),
        *_commands(summary, job, has_options=has_options),
    ]


def _failures(summary: Summary) -> list[str]:
    """Return the first requests that failed in this run."""
    if not summary.failures:
        return []
    named = ", ".join(f"{name} ({code})" for name, code in summary.failures.items())
    others = sum(summary.codes.values()) - len(summary.failures)
    return [f"  failed: {named}{f' and {others} more' if others > 0 else ''}"]


def _log(summary: Summary) -> list[str]:
    """Return the path of the log, if it says more about what went wrong."""
    path = f"{os.path.realpath(summary.output)}.log"
    has_trouble = summary.failed or summary.exit_code in (EXIT_REFUSED, EXIT_OUT)
    return [f"  log: {relative(path)}"] if has_trouble and os.path.exists(path) else []


def _commands(summary: Summary, job: Path, *, has_options: bool) -> list[str]:
    """Return the commands that help: ``show`` for one request, ``retry`` if a retry can succeed.

    A retry fails like the first try while an endpoint is parked for the run, such as for its address.
    """
    lines = []
    if name := next(iter(summary.failures), None):
        separator = "-- " if name.startswith("-") else ""
        output = shlex.quote(relative(summary.output))
        lines.append(f"  `promptjobs show {output} {separator}{shlex.quote(name)}` shows the first of them")
    if summary.exit_code != EXIT_REFUSED and any(map(retry_may_help, summary.codes)):
        options = " with the same options" if has_options else ""
        again = f"`promptjobs retry {shlex.quote(relative(str(job)))}`{options}"
        lines.append(f"  {again} sends failed requests again")
    return lines


def _held_back(code: str | None) -> list[str]:
    if code is None:
        return []
    from batch.progress import formatting

    return [f"  held back by {formatting.congestion(code)}: below `concurrency` for most of the run"]


def _orphans(number: int) -> list[str]:
    if not number:
        return []
    lines = "1 line is of a request" if number == 1 else f"{number} lines are of requests"
    return [f"  {lines} that the job no longer has; `--prune` removes them"]


def relative(path: str) -> str:
    """Return a path below the current directory without it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
