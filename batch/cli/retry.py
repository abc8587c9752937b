"""``promptjobs retry``"""

from __future__ import annotations

from functools import partial

import click

from batch.cli.run import command as run

assert run.callback is not None  # noqa: S101 - a decorated function has one

command = click.Command(
    "retry",
    params=run.params,
    epilog=run.epilog,
    callback=partial(run.callback, retry=True),
    help="Run every failed request again.\n\nAlso those that `run` has given up, such as a request that the "
    "server called wrong. What has never been sent is sent too.",
)
