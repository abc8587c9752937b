"""``promptjobs retry``"""

from __future__ import annotations

from functools import partial

import click

from batch.cli.console import option
from batch.cli.run import command as run
from batch.cli.selectors import code_option

assert run.callback is not None  # noqa: S101 - a decorated function has a docstring

command = code_option(option)(
    click.Command(
        "retry",
        params=list(run.params),
        epilog=run.epilog,
        callback=partial(run.callback, retry=True),
        help="Send every failed request again.\n\nThis includes requests that `run` skips, such as one that "
        "the server rejected as invalid. Requests that were never sent are sent too, unless `--code` selects "
        "failed ones.",
    )
)
