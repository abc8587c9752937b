"""``promptjobs status``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import counted, print_json, print_line
from batch.cli.flags import option
from batch.cli.job_options import job_flags

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from batch.app.inspect.status import JobStatus
    from batch.app.run.plan import Plan
    from batch.records import JSONObject
    from batch.results.statistics import Statistics


@click.command("status")
@job_flags
@option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@option(
    "-w",
    "--watch",
    is_flag=True,
    help="Follow the active run until it ends: redraw once a second, or print lines if the output is no "
    "terminal.",
)
def command(jobfile: Path, as_json: bool, watch: bool, **job: Any) -> int:
    """Show the progress of a job.

    JOBFILE is a job file or an output file. A request has succeeded or failed by its latest result; it is
    pending while it has no result, or only one of an earlier version of itself (stale). While a run is
    active, its process, rates and ETA are shown, too. This command sends nothing and changes nothing.
    """
    if watch:
        return _watch(jobfile, job, as_json=as_json)
    status = _status(jobfile, job)
    if as_json:
        print_json(_for_programs(status))
    else:
        for line in _print_text(status):
            print_line(line)
    return 0


def _watch(path: Path, job: dict[str, Any], *, as_json: bool) -> int:
    from batch.app.inspect.active_run import active_run
    from batch.cli.job_loading import is_results, load
    from batch.cli.watch import watch

    if as_json:
        raise click.UsageError("--watch cannot be combined with --json")
    is_output = active_run(path) is not None  # an output without results does not look like one yet
    return watch(path if is_output or is_results(path) else load(jobfile=path, **job).output)


def _status(path: Path, job: dict[str, Any]) -> JobStatus:
    from batch.app.inspect.status import of_job, of_output
    from batch.cli.job_loading import is_results, load

    return of_output(path) if is_results(path) else of_job(load(jobfile=path, **job))


def _for_programs(status: JobStatus) -> JSONObject:
    counts, plan = status.counts, status.plan
    return {
        "schema_version": 1,
        "output": str(status.output),
        "running": None if status.active is None else status.active.holder,
        "progress": None if status.active is None else status.active.progress,
        "requests": None if plan is None else {"total": plan.total, **_states(plan)},
        "succeeded": counts.succeeded,
        "failed": dict(counts.failed),
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "cached_tokens": counts.cached_tokens,
        "cache_write_tokens": counts.cache_write_tokens,
        "reasoning_tokens": counts.reasoning_tokens,
        "cost": counts.cost if counts.priced else None,
        "currency": status.currency,
        "provider_costs": counts.provider_costs,
        "unpriced": counts.unpriced,
        "orphans": status.orphans,
        "shards": list(map(str, status.shards)),
        "superseded": counts.superseded,
        "unreadable": counts.unreadable,
        "torn": counts.partial,
    }


def _states(plan: Plan) -> dict[str, int]:
    """Return the requests by where they stand.

    Each is done, failed or pending. ``given_up`` are the failed ones that only ``retry`` sends again.
    """
    from batch.scheduling.resume import State

    return {
        "done": plan.states[State.DONE],
        "pending": plan.pending,
        "new": plan.states[State.NEW],
        "stale": plan.states[State.CHANGED],
        "failed": plan.failed,
        "given_up": plan.given_up,
    }


def _print_text(status: JobStatus) -> Iterator[str]:
    from batch.amounts import amount_text
    from batch.cli import money

    counts, plan = status.counts, status.plan
    yield f"output     {status.output}"
    yield from _running(status)
    if plan is None:
        yield f"succeeded  {counts.succeeded}"
        yield from _failed(counts.failed)
    else:
        yield from _requests(plan)
    yield f"tokens     {money.tokens(counts)}"
    if counts.priced:
        unknown = f"; that of {counted(counts.unpriced, 'result')} is unknown" if counts.unpriced else ""
        stated = counts.provider_costs
        source = f"; stated by the provider for {counted(stated, 'result')}" if stated else ""
        yield f"cost       {amount_text(counts.cost, status.currency)}{unknown}{source}"
    if status.orphans:
        yield f"orphans    {counted(status.orphans, 'line')} of requests that the job no longer has"
    yield from _damaged_lines(counts)
    if status.shards:
        from batch.app.run.shards import merge_command

        are = "is" if len(status.shards) == 1 else "are"
        yield f"shards     {counted(len(status.shards), 'output')}, which {are} not merged here yet:"
        yield f"           `{merge_command(status.output, status.shards)}`"


def _requests(plan: Plan) -> Iterator[str]:
    states = _states(plan)
    yield f"requests   {plan.total}"
    yield f"succeeded  {states['done']}"
    yield from _failed(plan.failed_codes, _sent_again(plan))
    yield f"pending    {states['pending']}"
    for name in ("new", "stale"):
        if states[name]:
            yield f"  {name:<9}{states[name]}"


def _failed(codes: Counter[str], again: str = "") -> Iterator[str]:
    yield f"failed     {codes.total()}{again}"
    for code, number in codes.most_common():
        yield f"  {number} {code}"


def _sent_again(plan: Plan) -> str:
    """Say which commands send the failed requests again."""
    by_run = plan.failed - plan.given_up
    if not plan.failed:
        return ""
    if not by_run:
        return "; `promptjobs retry` sends them again"
    if not plan.given_up:
        return "; `promptjobs run` sends them again"
    return f"; `promptjobs run` sends {by_run} of them again, `promptjobs retry` all"


def _running(status: JobStatus) -> Iterator[str]:
    """Say whether a run is active, and how fast it is."""
    from batch.app.inspect.active_run import counters_of, snapshot_of
    from batch.progress import formatting
    from batch.results.lock import described

    if status.active is None:
        yield "running    no"
        return
    yield f"running    yes, {described(status.active.holder)}"
    if (progress := status.active.progress) is not None:
        counters, snapshot = counters_of(progress), snapshot_of(progress)
        rates = (progress.requests_per_second, progress.tokens_per_second)
        yield f"rate       {formatting.rates(rates)}, ETA {formatting.eta(progress.seconds_left)}"
        yield f"           {', '.join(formatting.engine(snapshot, counters))}"
        for parked in formatting.failure_counts(snapshot):
            yield f"           {parked}"


def _damaged_lines(counts: Statistics) -> Iterator[str]:
    if counts.superseded:
        yield f"superseded {counted(counts.superseded, 'line')}; removed by the next run"
    if counts.unreadable or counts.partial:
        yield f"damaged    {counted(counts.unreadable + counts.partial, 'line')}; repaired by the next run"
