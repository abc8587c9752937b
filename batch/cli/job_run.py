"""Run the jobs of a command one after the other, and print how each of them ended."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.cli.console import has_colour, is_fancy, print_json, print_message, print_traceback
from batch.errors import InternalError
from batch.exit_codes import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.app.run.open_failures import OpenFailures
    from batch.app.run.options import RunOptions
    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile
    from batch.progress.bar import BarReporter
    from batch.progress.lines import LineReporter
    from batch.run_summary import Summary


class Presentation(Struct, frozen=True):
    """What a command prints. ``stats`` is the number of seconds between progress lines.

    ``bar``: progress is a bar, on a terminal. ``is_retry``: the user asked to send failed requests again.
    ``has_options``: options of the command changed the job file.
    """

    as_json: bool
    stats: float
    bar: bool
    quiet: bool
    verbose: bool
    is_retry: bool
    has_options: bool


def run_in_order(jobs: Sequence[JobFile], here: Environment, options: RunOptions, how: Presentation) -> int:
    """Run the jobs up to the first one that is not complete; return the exit code of the last one."""
    for position, job in enumerate(jobs, 1):
        following = jobs[position:]
        if exit_code := _run(job, here, options, how, is_awaited=bool(following)).exit_code:
            for other in following:
                print_message(f"{other.path} was not run: {job.path} is not complete")
            return exit_code
    return 0


def _run(
    job: JobFile, here: Environment, options: RunOptions, how: Presentation, *, is_awaited: bool
) -> Summary:
    """Run a job and print its ending. ``is_awaited``: other jobs run only if this one is complete."""
    from batch.app.run.open_failures import OpenFailures

    failures = OpenFailures() if how.quiet else None
    summary = _execute(job, here, options, how, failures)
    if how.as_json:
        print_json(summary)
    if failures is not None:
        is_trouble = is_awaited and summary.exit_code != SUCCESS
        _print_news(job, summary, failures, how, is_trouble=is_trouble)
    else:
        from batch.cli.run_ending import ending

        for line in ending(summary, job.path, has_options=how.has_options):
            print_message(line)
    return summary


def _print_news(
    job: JobFile, summary: Summary, failures: OpenFailures, how: Presentation, *, is_trouble: bool
) -> None:
    """Print the ending of a quiet run, if there is news, and record which failures it has named."""
    from batch.app.run.quiet_report import reasons_of, remember, report_of, reported_before
    from batch.cli.run_ending import ending, news_lines

    before, now = reported_before(job.output), datetime.now(UTC)
    news = report_of(job, summary, failures, before, now, is_asked=how.is_retry, is_trouble=is_trouble)
    if not news.is_silent:
        named = news_lines(news, reasons_of(job, news.named), summary.output)
        for line in ending(summary, job.path, has_options=how.has_options, named=named):
            print_message(line)
    notice = None if news.reported == before else remember(job.output, news.reported)
    if notice is not None and not news.is_silent:
        print_message(notice)


def _execute(
    job: JobFile, here: Environment, options: RunOptions, how: Presentation, failures: OpenFailures | None
) -> Summary:
    import anyio

    from batch.app.run.execute import execute

    reporter = _reporter(how)
    observers = (reporter,) if failures is None else (reporter, failures)
    try:
        loop = {"use_uvloop": find_spec("uvloop") is not None}
        return anyio.run(execute, job, here, observers, options, backend_options=loop)
    except InternalError as error:
        if how.verbose and error.__cause__ is not None:
            print_traceback(error.__cause__)
        raise
    finally:
        with suppress(Exception):  # if the bar cannot be drawn, still print the summary
            reporter.close()


def _reporter(how: Presentation) -> BarReporter | LineReporter:
    if how.bar and not how.quiet and is_fancy(sys.stderr):
        from batch.progress.bar import BarReporter

        return BarReporter(sys.stderr, colour=has_colour(sys.stderr))
    from batch.progress.lines import LineReporter

    return LineReporter(sys.stderr, stats=how.stats, quiet=how.quiet)
