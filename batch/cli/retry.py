"""``promptjobs retry``"""

from __future__ import annotations

from functools import partial

import click

from batch.cli.run import command as run

assert run.callback is not None  # noqa: S101 - a decorated function has a docstring

command = click.Command(
    "retry",
    params=run.params,
    epilog=run.epilog,
    callback=partial(run.callback, retry=True),
    help="Send every failed request again.\n\nThis includes requests that `run` skips, such as one that the "
    "server rejected as invalid. Requests that were never sent are sent too.",
)
