"""``promptjobs run``"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import click

from batch.cli import gc_tuning
from batch.cli.console import (
    DURATION,
    PerLine,
    has_colour,
    is_fancy,
    option,
    print_json,
    print_message,
    print_traceback,
)
from batch.cli.job_options import jobs_flags, load_all, shard_option
from batch.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from batch.app.run.options import RunOptions
    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile
    from batch.progress.bar import BarReporter
    from batch.progress.lines import LineReporter
    from batch.records import Summary


EXIT_CODES = """\b
Exit codes:
  0              every request has succeeded
  1              finished; some requests failed or are pending
  2              invalid usage or job file; nothing was sent
  7              an endpoint is parked: invalid key, quota used up, certificate, address
  8              a limit was reached; the rest is pending
  70             internal error; finished results are written, the traceback is in the log
  74             results could not be written; results already written are safe
  75             another run holds the output, or an endpoint was down for too long
  129, 130, 143  stopped by SIGHUP, SIGINT, SIGTERM; run the same command to resume
"""


@click.command("run", epilog=EXIT_CODES)
@jobs_flags
@option(
    "-j",
    "--concurrency",
    type=click.IntRange(1, 10000),
    metavar="N",
    help="Maximum number of requests in flight.",
)
@option(
    "-n",
    "--dry-run",
    is_flag=True,
    help="Show what would be sent, why, and an estimate of its tokens. Send nothing.",
)
@option(
    "--only",
    multiple=True,
    type=PerLine(),
    metavar="ID",
    help="Send only this request, or those that match a pattern such as 'reports/*'. Can be repeated.",
)
@option(
    "--force",
    is_flag=True,
    help="Also send requests again that have succeeded. Their answers are kept as those of changed "
    "requests are.",
)
@shard_option
@option("--limit", type=click.IntRange(min=0), metavar="N", help="Send at most this many requests.")
@option(
    "--max-attempts",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Maximum number of attempts per request.",
)
@option("--max-duration", type=DURATION, metavar="TIME", help="Stop sending after this time: 90s, 5m, 2h.")
@option("--max-cost", type=float, metavar="COST", help="Stop sending before the cost exceeds this amount.")
@option("-x", "--fail-fast", is_flag=True, help="Stop after the first failed request.")
@option(
    "--durability",
    type=click.Choice(["fsync", "flush"]),
    default="fsync",
    show_default=True,
    help="What a reported result survives: a power cut (fsync), or only a crash of the process (flush).",
)
@option(
    "--prune",
    is_flag=True,
    help="Remove result lines of requests that the job no longer has, and files of superseded and "
    "damaged lines from earlier runs.",
)
@option("--adopt", is_flag=True, help="Take over an output file that another job file wrote.")
@option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout.")
@option(
    "--stats",
    type=DURATION,
    metavar="TIME",
    default="60s",
    show_default=True,
    help="Interval between progress lines.",
)
@option("--no-progress", is_flag=True, help="Print progress lines instead of a bar, even on a terminal.")
@option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Print only errors and warnings, so that cron sends no mail about a good run.",
)
@option("-v", "--verbose", is_flag=True, help="Print a progress line every second instead of a bar.")
def command(
    concurrency: int | None,
    dry_run: bool,
    only: tuple[str, ...],
    force: bool,
    limit: int | None,
    max_attempts: int | None,
    max_duration: float | None,
    max_cost: float | None,
    fail_fast: bool,
    durability: Literal["fsync", "flush"],
    prune: bool,
    adopt: bool,
    as_json: bool,
    stats: float,
    no_progress: bool,
    quiet: bool,
    verbose: bool,
    retry: bool = False,
    codes: tuple[str, ...] = (),
    **jobs: Any,
) -> int:
    """Send every request that has not succeeded yet.

    Each result is appended to the output file when it arrives. Run the same command again to resume:
    requests that have succeeded are not sent again.

    Several job files run in the given order. A job runs only if the job before it is complete, so a job can
    read the results of an earlier one. All job files are checked before the first request is sent.
    """
    from batch.app.run.process_signals import ended_by_signals

    with ended_by_signals() as watchdog:
        from batch.app.run.open_file_limit import check_limit, raise_limit
        from batch.app.run.options import RunOptions
        from batch.app.setup.environment import Environment
        from batch.scheduling.resume import TO_FORCE, TO_RETRY, TO_RUN
        from batch.scheduling.selection import Selection

        if only and len(jobs["jobfiles"]) > 1:
            raise click.UsageError("--only selects requests of one job file; name one")
        raise_limit()
        check_limit()
        keys = {"concurrency": concurrency, "retries.max_attempts": max_attempts, "limits.cost": max_cost}
        loaded = load_all(**jobs, more=keys)
        if dry_run or len(loaded) > 1:
            from batch.app.run.output_claim import check_claims

            check_claims(loaded, adopt=adopt)
        options = RunOptions(
            limit,
            max_duration,
            fail_fast,
            durability,
            signals=True,
            prune=prune,
            adopt=adopt,
            watchdog=watchdog,
            selection=Selection(TO_FORCE if force else TO_RETRY if retry else TO_RUN, only, codes),
        )
        if dry_run:
            from batch.cli.dry_run import dry_run as print_dry_run

            return print_dry_run(loaded, options, as_json=as_json)
        here = Environment.current()
        if len(loaded) > 1:
            from batch.app.run.several_jobs import check_addresses, check_inputs

            check_inputs(loaded)
            check_addresses(loaded, here)
        gc_tuning.reduce_collections()
        bar = not (no_progress or verbose)
        has_options = any(value for name, value in jobs.items() if name != "jobfiles")
        reporter = partial(_reporter, stats=1.0 if verbose else stats, bar=bar, quiet=quiet)

        def run(job: JobFile) -> Summary:
            summary = _execute(job, here, reporter(), options, verbose=verbose)
            _print(summary, job.path, as_json=as_json, quiet=quiet, has_options=has_options)
            return summary

        return _run_in_order(loaded, run)


def _run_in_order(jobs: Sequence[JobFile], run: Callable[[JobFile], Summary]) -> int:
    """Run the jobs up to the first one that is not complete; return the exit code of the last one."""
    for position, job in enumerate(jobs, 1):
        if exit_code := run(job).exit_code:
            for other in jobs[position:]:
                print_message(f"{other.path} was not run: {job.path} is not complete")
            return exit_code
    return 0


def _execute(
    job: JobFile,
    here: Environment,
    reporter: BarReporter | LineReporter,
    options: RunOptions,
    *,
    verbose: bool,
) -> Summary:
    import anyio

    from batch.app.run.execute import execute

    try:
        loop = {"use_uvloop": find_spec("uvloop") is not None}
        return anyio.run(execute, job, here, (reporter,), options, backend_options=loop)
    except InternalError as error:
        if verbose and error.__cause__ is not None:
            print_traceback(error.__cause__)
        raise
    finally:
        with suppress(Exception):  # if the bar cannot be drawn, still print the summary
            reporter.close()


def _reporter(*, stats: float, bar: bool, quiet: bool) -> BarReporter | LineReporter:
    if bar and not quiet and is_fancy(sys.stderr):
        from batch.progress.bar import BarReporter

        return BarReporter(sys.stderr, colour=has_colour(sys.stderr))
    from batch.progress.lines import LineReporter

    return LineReporter(sys.stderr, stats=stats, quiet=quiet)


def _print(summary: Summary, job: Path, *, as_json: bool, quiet: bool, has_options: bool) -> None:
    from batch.cli.run_ending import ending

    if as_json:
        print_json(summary)
    if not quiet or summary.exit_code:
        for line in ending(summary, job, has_options=has_options):
            print_message(line)
