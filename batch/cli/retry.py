"""``promptjobs retry``"""

from __future__ import annotations

from typing import Any

import click

from batch.cli.flags import option
from batch.cli.job_options import jobs_flags
from batch.cli.run import EXIT_CODES, run
from batch.cli.run_flags import RunFlags, run_flags
from batch.cli.selectors import code_option


@click.command("retry", epilog=EXIT_CODES)
@jobs_flags
@run_flags
@code_option(option)
def command(flags: RunFlags, codes: tuple[str, ...], **jobs: Any) -> int:
    """Send every failed request again.

    This includes requests that `run` skips, such as one that the server rejected as invalid. Requests that
    were never sent are sent too, unless `--code` selects failed ones.
    """
    return run(flags, jobs, retry=True, codes=codes)
