"""The progress of a job, without running it and without changing its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.app.inspect.active_run import active_run
from batch.app.run.plan import Plan, make_plan, open_source
from batch.app.run.shards import unmerged
from batch.app.setup.reclassified import restate_of
from batch.results.contents import Contents
from batch.results.reader import reading
from batch.results.reclassification import WITHOUT_JOB
from batch.results.statistics import Statistics, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.app.inspect.active_run import ActiveRun
    from batch.jobfile.job import JobFile


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The output's lines, and the job's requests by state (``None`` without a job).

    ``orphans`` are lines of requests that the job no longer has. ``currency`` is that of the job's costs.
    ``active`` is the run that is active now. ``shards`` are the outputs of shards, if some of them are not
    merged into the output.
    """

    output: Path
    counts: Statistics
    plan: Plan | None = None
    orphans: int = 0
    currency: str | None = None
    active: ActiveRun | None = None
    shards: Sequence[Path] = ()


def of_output(output: Path) -> JobStatus:
    """Return the status of a result file. Raises ``UsageError`` if it is unreadable or foreign."""
    with reading(output):
        return JobStatus(output, summarise(output, restate=WITHOUT_JOB)[0], active=active_run(output))


def of_job(job: JobFile) -> JobStatus:
    """Return the status of a job. Raises ``JobFileError``, and ``UsageError`` as ``of_output`` does."""
    with reading(job.output):
        try:
            counts, contents = summarise(job.output, restate=restate_of(job))
        except FileNotFoundError:
            counts, contents = Statistics(), Contents()
    plan = make_plan(open_source(job), contents.index.get)
    return JobStatus(
        job.output,
        counts,
        plan,
        orphans=plan.orphans(len(contents.index)),
        currency=job.currency,
        active=active_run(job.output),
        shards=unmerged(job.output),
    )
