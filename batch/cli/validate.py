"""``promptjobs validate``"""

from __future__ import annotations

from typing import Any

import click

from batch.cli.console import say
from batch.cli.jobs import job_flags, load


@click.command("validate")
@job_flags
def command(**job: Any) -> int:
    """Name every mistake in a job file and its inputs; send nothing."""
    from batch.app.plan import open_source
    from batch.inputs.check import check

    loaded = load(**job)
    counts = check(open_source(loaded))
    models = ", ".join(f"{name} {count}" for name, count in counts.by_target.items())
    say(f"{loaded.path}: no mistakes; {counts.total} requests ({models})")
    return 0
