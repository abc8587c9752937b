"""``promptjobs status``"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import LONGEST
from batch.cli.jobs import job_flags, load
from batch.errors import ForeignOutputError, UsageError
from batch.terminal import escape

if TYPE_CHECKING:
    from pathlib import Path

    from batch.app.standing import Standing


@click.command("status")
@job_flags
def command(jobfile: Path, **job: Any) -> int:
    """Say how far a job is.

    JOBFILE is a job file, or an output file. Nothing is sent, and nothing is changed.
    """
    try:
        standing = _standing(jobfile, job)
    except OSError as error:
        raise UsageError(f"{jobfile} cannot be read: {error.strerror}") from None
    for line in _in_words(standing):
        click.echo(escape(line, limit=LONGEST))
    return 0


def _standing(path: Path, job: dict[str, Any]) -> Standing:
    from batch.app.standing import of_job, of_output

    if path.suffix == ".jsonl" and os.path.isfile(path):
        try:
            return of_output(path)
        except ForeignOutputError:
            pass  # then it is a job file in JSONL
    return of_job(load(jobfile=path, **job))


def _in_words(standing: Standing) -> list[str]:
    from batch.policy.resume import TO_RUN, State

    counts, plan = standing.counts, standing.plan
    lines = [f"output     {standing.output}"]
    if plan is not None:
        pending = sum(plan.to_send.values())
        lines += [
            f"requests   {plan.total}",
            f"done       {plan.states[State.DONE]}",
            f"pending    {pending}",
        ]
        lines += [f"  {state:<9}{plan.states[state]}" for state in sorted(TO_RUN) if plan.states[state]]
        if plan.states[State.REFUSED]:
            lines.append(f"given up   {plan.states[State.REFUSED]}")
    else:
        lines.append(f"succeeded  {counts.succeeded}")
    lines += [f"failed     {number} {code}" for code, number in counts.failed.most_common()]
    lines.append(f"tokens     {counts.prompt_tokens} in, {counts.completion_tokens} out")
    if standing.orphans:
        lines.append(f"orphans    {standing.orphans} lines of requests that the job no longer has")
    if counts.unreadable or counts.torn:
        lines.append(f"damaged    {counts.unreadable + counts.torn} lines; the next run mends them")
    return lines
