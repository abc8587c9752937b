"""``promptjobs diff``"""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import emit, has_colour, print_line
from batch.cli.flags import option
from batch.cli.job_options import job_settings
from batch.cli.option_types import FILE, NewFile

if TYPE_CHECKING:
    from pathlib import Path

    from batch.app.inspect.diff import Comparison, Side

DEFAULT_LIMIT = 5
"""Requests of each kind of change that are shown if no other limit is given."""

_WIDTH = 80
"""Columns of a comparison that is not written to a terminal."""

_WIDEST = 120


@click.command("diff")
@click.argument("before", type=FILE)
@click.argument("after", type=FILE, required=False)
@job_settings
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    help="Compare only requests with this ID, or with one that matches a pattern such as 'reports/*'. Can be "
    "repeated.",
)
@click.option(
    "--grep",
    metavar="TEXT",
    default="",
    help="Compare only requests with this text in their ID, or in one of their answers or error messages. "
    "Upper and lower case are the same.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show at most this many requests of each kind of change. The default is 5; with `--json` "
    "there is none.",
)
@option("--json", "as_json", is_flag=True, help="Print the counts and all changes as one JSON object.")
@click.option(
    "--html",
    type=NewFile(dash="a page is a file; name one"),
    metavar="FILE",
    help="Write the comparison as an HTML page instead, with both answers side by side.",
)
def command(
    before: Path,
    after: Path | None,
    only: tuple[str, ...],
    grep: str,
    limit: int | None,
    as_json: bool,
    html: Path | None,
    **job: Any,
) -> int:
    """Compare two outputs: changed answers, and what they cost.

    BEFORE and AFTER are output files or job files; a job file means its output. Requests are matched by their
    IDs. With one of them, its results are compared with the answers that they have superseded
    (OUTPUT.superseded.jsonl).

    Structured answers are compared by value, others by their text. The exit code is 0 if no answer differs
    and 1 if one does, as with diff(1). Two successes with the same answer do not differ, whatever their model
    and finish reason, nor do two failures with the same error code.
    """
    from batch.app.inspect.diff import Selection, compared

    if as_json and html is not None:
        raise click.UsageError("--json prints and --html writes a page: use one of them")
    sides = _sides(before, after, job)
    with compared(*sides, Selection(only, grep)) as comparison:
        if html is not None:
            _write(comparison, sides, html)
        elif as_json:
            _print_json(comparison, sides, limit)
        else:
            _print_text(comparison, sides, DEFAULT_LIMIT if limit is None else limit)
        return 0 if comparison.totals.are_equal else 1


def _sides(before: Path, after: Path | None, job: dict[str, Any]) -> tuple[Side, Side]:
    """Return both outputs; without ``after``, the superseded answers of ``before`` and ``before`` itself."""
    from batch.app.inspect.diff import of_job, of_output, superseded_of
    from batch.cli.job_loading import of_each

    sides = of_each([before] if after is None else [before, after], of_output, of_job, **job)
    return (superseded_of(sides[0]) if after is None else sides[0]), sides[-1]


def _print_text(comparison: Comparison, sides: tuple[Side, Side], limit: int) -> None:
    from batch.cli.diff_text import in_words, totals

    for line in in_words(comparison, _width(), limit, colour=has_colour(sys.stdout)):
        emit(line)
    for line in totals(comparison.totals, *sides, _width()):
        print_line(line)


def _width() -> int:
    return min(get_terminal_size((_WIDTH, 24)).columns, _WIDEST)


def _print_json(comparison: Comparison, sides: tuple[Side, Side], limit: int | None) -> None:
    from batch.cli.diff_json import pieces

    for piece in pieces(comparison, *sides, limit):
        emit(piece)


def _write(comparison: Comparison, sides: tuple[Side, Side], path: Path) -> None:
    from batch.app.inspect.diff_page import write
    from batch.cli.diff_text import totals
    from batch.cli.report import written

    size = write(comparison, *sides, path)
    for line in totals(comparison.totals, *sides, _width()):
        print_line(line)
    print_line(written(path, size))
