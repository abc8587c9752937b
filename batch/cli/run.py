"""``promptjobs run``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batch.cli.job_options import jobs_flags
from batch.cli.run_flags import RunFlags, run_flags
from batch.exit_codes import MEANINGS, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.app.run.options import RayOptions, RunOptions
    from batch.app.run.watchdog import Watchdog
    from batch.app.setup.environment import Environment
    from batch.cli.job_run import Presentation
    from batch.jobfile.job import JobFile
    from batch.scheduling.resume import State
    from batch.scheduling.selection import Selection


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
@run_flags
def command(flags: RunFlags, **jobs: Any) -> int:
    """Send every request that has not succeeded yet.

    Each result is appended to the output file when it arrives. Run the same command again to resume:
    requests that have succeeded are not sent again.

    Several job files run in the given order. A job runs only if the job before it is complete, so a job can
    read the results of an earlier one. All job files are checked before the first request is sent.
    """
    return run(flags, jobs)


def run(flags: RunFlags, jobs: dict[str, Any], *, retry: bool = False, codes: tuple[str, ...] = ()) -> int:
    """Run the jobs, or print what that would send; return the exit code.

    ``jobs`` are the job files and the flags that change them. ``retry``: failed requests are sent again,
    those with an error code that matches one of ``codes`` if there are any.
    """
    from batch.app.run.command_signals import ended_by_signals

    with ended_by_signals() as watchdog:
        _check_selection(flags, jobs)
        ray = _ray_options(flags)
        _prepare_open_files()
        loaded = _loaded(flags, jobs)
        options = _options(flags, ray, _selection(flags, codes, retry=retry), watchdog)
        if flags.dry_run:
            from batch.cli.dry_run import dry_run as print_dry_run

            return print_dry_run(loaded, options, as_json=flags.as_json)
        from batch import gc_tuning
        from batch.cli.job_run import run_in_order

        here = _checked_environment(loaded)
        gc_tuning.reduce_collections()
        return run_in_order(loaded, here, options, _presentation(flags, jobs, retry=retry))


def _check_selection(flags: RunFlags, jobs: dict[str, Any]) -> None:
    if flags.only and len(jobs["jobfiles"]) > 1:
        raise click.UsageError("--only selects requests of one job file; name one")


def _ray_options(flags: RunFlags) -> RayOptions | None:
    """Return the options of a run on Ray, if it is one."""
    from batch.app.run.options import RayNames, ray_options
    from batch.errors import UsageError

    names = RayNames("--executor ray", "--workers", "--workers N", "--send-keys", "--processes")
    try:
        return ray_options(
            flags.executor, flags.workers, flags.processes, sends_keys=flags.send_keys, names=names
        )
    except UsageError as error:
        raise click.UsageError(str(error)) from None


def _prepare_open_files() -> None:
    from batch.app.run.open_file_limit import check_limit, raise_limit

    raise_limit()
    check_limit()


def _loaded(flags: RunFlags, jobs: dict[str, Any]) -> list[JobFile]:
    """Load the jobs, and check that several of them, or a dry run, may write to their outputs.

    The run of a single job checks that itself.
    """
    from batch.cli.job_loading import load_all

    keys = {
        "concurrency": flags.concurrency,
        "retries.max_attempts": flags.max_attempts,
        "limits.cost": flags.max_cost,
    }
    loaded = load_all(**jobs, more=keys)
    if flags.dry_run or len(loaded) > 1:
        from batch.app.run.output_claim import check_claims

        check_claims(loaded, adopt=flags.adopt)
    return loaded


def _selection(flags: RunFlags, codes: tuple[str, ...], *, retry: bool) -> Selection:
    """Return which requests are sent."""
    from batch.scheduling.resume import TO_FORCE, TO_RETRY, TO_RUN
    from batch.scheduling.selection import Selection

    states: frozenset[State] = TO_FORCE if flags.force else TO_RETRY if retry else TO_RUN
    return Selection(states, flags.only, codes)


def _options(flags: RunFlags, ray: RayOptions | None, selection: Selection, watchdog: Watchdog) -> RunOptions:
    from batch.app.run.options import RunOptions

    return RunOptions(
        flags.limit,
        flags.max_duration,
        flags.fail_fast,
        flags.durability,
        signals=True,
        prune=flags.prune,
        adopt=flags.adopt,
        watchdog=watchdog,
        processes=flags.processes,
        ray=ray,
        selection=selection,
    )


def _presentation(flags: RunFlags, jobs: dict[str, Any], *, retry: bool) -> Presentation:
    from batch.cli.job_run import Presentation

    return Presentation(
        as_json=flags.as_json,
        stats=1.0 if flags.verbose else flags.stats,
        bar=not (flags.no_progress or flags.verbose),
        quiet=flags.quiet,
        verbose=flags.verbose,
        is_retry=retry,
        has_options=any(value for name, value in jobs.items() if name != "jobfiles"),
    )


def _checked_environment(jobs: Sequence[JobFile]) -> Environment:
    """Return the environment. Check the inputs and addresses of several jobs before the first one runs."""
    from batch.app.setup.environment import Environment

    here = Environment.current()
    if len(jobs) > 1:
        from batch.app.run.endpoints import check_addresses
        from batch.app.run.several_jobs import check_inputs

        check_inputs(jobs)
        check_addresses(jobs, here)
    return here
