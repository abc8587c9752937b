"""``promptjobs run``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from batch import gc_tuning
from batch.cli.console import DURATION, PerLine, option
from batch.cli.job_options import jobs_flags, load_all, shard_option
from batch.cli.job_run import Presentation, run_in_order
from batch.exit_codes import MEANINGS, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.app.run.options import RayOptions
    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile
    from batch.scheduling.resume import State


EXIT_CODES = "\n".join(
    [
        "\b",
        "Exit codes:",
        *(f"  {code:<13}  {meaning}" for code, meaning in MEANINGS.items()),
        (
            f"  {', '.join(map(str, SIGNALS))}  stopped by {', '.join(SIGNALS.values())}; "
            "run the same command to resume"
        ),
    ]
)


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
@option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    metavar="N",
    help="Execute the attempts in this many processes, for more than one core.",
)
@option(
    "--executor",
    type=click.Choice(["ray"]),
    help="Execute the attempts in workers on a Ray cluster: that of RAY_ADDRESS, else one on this machine.",
)
@option("--workers", type=click.IntRange(1, 10000), metavar="N", help="Number of workers on the cluster.")
@option(
    "--send-keys",
    is_flag=True,
    help="Send keys to the workers, in memory. By default each reads its own variables and key files.",
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
    help="Print only warnings, errors and new failures, so that cron sends no mail if there is no news.",
)
@option("-v", "--verbose", is_flag=True, help="Print a progress line every second instead of a bar.")
def command(
    concurrency: int | None,
    dry_run: bool,
    only: tuple[str, ...],
    force: bool,
    processes: int,
    executor: str | None,
    workers: int | None,
    send_keys: bool,
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
        from batch.app.run.options import RunOptions
        from batch.scheduling.selection import Selection

        if only and len(jobs["jobfiles"]) > 1:
            raise click.UsageError("--only selects requests of one job file; name one")
        ray = _ray_options(executor, workers, processes, send_keys=send_keys)
        _prepare_open_files()
        keys = {"concurrency": concurrency, "retries.max_attempts": max_attempts, "limits.cost": max_cost}
        loaded = load_all(**jobs, more=keys)
        _check_claims(loaded, adopt=adopt, dry_run=dry_run)
        options = RunOptions(
            limit,
            max_duration,
            fail_fast,
            durability,
            signals=True,
            prune=prune,
            adopt=adopt,
            watchdog=watchdog,
            processes=processes,
            ray=ray,
            selection=Selection(_states(force=force, retry=retry), only, codes),
        )
        if dry_run:
            from batch.cli.dry_run import dry_run as print_dry_run

            return print_dry_run(loaded, options, as_json=as_json)
        here = _checked_environment(loaded)
        gc_tuning.reduce_collections()
        how = Presentation(
            as_json=as_json,
            stats=1.0 if verbose else stats,
            bar=not (no_progress or verbose),
            quiet=quiet,
            verbose=verbose,
            is_retry=retry,
            has_options=any(value for name, value in jobs.items() if name != "jobfiles"),
        )
        return run_in_order(loaded, here, options, how)


def _ray_options(
    executor: str | None, workers: int | None, processes: int, *, send_keys: bool
) -> RayOptions | None:
    """Return the options of a run on Ray, if it is one."""
    from batch.app.run.options import RayNames, ray_options
    from batch.errors import UsageError

    names = RayNames("--executor ray", "--workers", "--workers N", "--send-keys", "--processes")
    try:
        return ray_options(executor, workers, processes, sends_keys=send_keys, names=names)
    except UsageError as error:
        raise click.UsageError(str(error)) from None


def _prepare_open_files() -> None:
    from batch.app.run.open_file_limit import check_limit, raise_limit

    raise_limit()
    check_limit()


def _check_claims(jobs: Sequence[JobFile], *, adopt: bool, dry_run: bool) -> None:
    """Check that the jobs may write to their outputs; the run of a single job does that itself."""
    if dry_run or len(jobs) > 1:
        from batch.app.run.output_claim import check_claims

        check_claims(jobs, adopt=adopt)


def _checked_environment(jobs: Sequence[JobFile]) -> Environment:
    """Return the environment. Check the inputs and addresses of several jobs before the first one runs."""
    from batch.app.setup.environment import Environment

    here = Environment.current()
    if len(jobs) > 1:
        from batch.app.run.several_jobs import check_addresses, check_inputs

        check_inputs(jobs)
        check_addresses(jobs, here)
    return here


def _states(*, force: bool, retry: bool) -> frozenset[State]:
    """Return the states from which the command sends a request."""
    from batch.scheduling.resume import TO_FORCE, TO_RETRY, TO_RUN

    return TO_FORCE if force else TO_RETRY if retry else TO_RUN
