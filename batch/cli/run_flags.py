"""The flags of a run, which ``run`` and ``retry`` share."""

from __future__ import annotations

from functools import wraps
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import click

from batch.cli.flags import option, with_flags
from batch.cli.job_options import shard_option
from batch.cli.option_types import DURATION, PerLine

if TYPE_CHECKING:
    from collections.abc import Callable


class RunFlags(SimpleNamespace):
    """The values of the flags. Durations are in seconds; ``None`` is what was not given.

    A dataclass takes a millisecond to define, of the 50 of ``--help``.
    """

    concurrency: int | None
    dry_run: bool
    only: tuple[str, ...]
    force: bool
    processes: int
    executor: str | None
    workers: int | None
    send_keys: bool
    limit: int | None
    max_attempts: int | None
    max_duration: float | None
    max_cost: float | None
    fail_fast: bool
    durability: Literal["fsync", "flush"]
    prune: bool
    adopt: bool
    as_json: bool
    stats: float
    no_progress: bool
    quiet: bool
    verbose: bool


_FLAGS: tuple[Callable[[Any], Any], ...] = (
    option(
        "-j",
        "--concurrency",
        type=click.IntRange(1, 10000),
        metavar="N",
        help="Maximum number of requests in flight.",
    ),
    option(
        "-n",
        "--dry-run",
        is_flag=True,
        help="Show what would be sent, why, and an estimate of its tokens. Send nothing.",
    ),
    option(
        "--only",
        multiple=True,
        type=PerLine(),
        metavar="ID",
        help="Send only this request, or those that match a pattern such as 'reports/*'. Can be repeated.",
    ),
    option(
        "--force",
        is_flag=True,
        help="Also send requests again that have succeeded. Their answers are kept as those of changed "
        "requests are.",
    ),
    option(
        "--processes",
        type=click.IntRange(1, 64),
        default=1,
        metavar="N",
        help="Execute the attempts in this many processes, for more than one core.",
    ),
    option(
        "--executor",
        type=click.Choice(["ray"]),
        help="Execute the attempts in workers on a Ray cluster: that of RAY_ADDRESS, else one on this "
        "machine.",
    ),
    option("--workers", type=click.IntRange(1, 10000), metavar="N", help="Number of workers on the cluster."),
    option(
        "--send-keys",
        is_flag=True,
        help="Send keys to the workers, in memory. By default each reads its own variables and key files.",
    ),
    shard_option,
    option("--limit", type=click.IntRange(min=0), metavar="N", help="Send at most this many requests."),
    option(
        "--max-attempts",
        type=click.IntRange(1, 1000),
        metavar="N",
        help="Maximum number of attempts per request.",
    ),
    option(
        "--max-duration", type=DURATION, metavar="TIME", help="Stop sending after this time: 90s, 5m, 2h."
    ),
    option(
        "--max-cost", type=float, metavar="COST", help="Stop sending before the cost exceeds this amount."
    ),
    option("-x", "--fail-fast", is_flag=True, help="Stop after the first failed request."),
    option(
        "--durability",
        type=click.Choice(["fsync", "flush"]),
        default="fsync",
        show_default=True,
        help="What a reported result survives: a power cut (fsync), or only a crash of the process (flush).",
    ),
    option(
        "--prune",
        is_flag=True,
        help="Remove result lines of requests that the job no longer has, and files of superseded and "
        "damaged lines from earlier runs.",
    ),
    option("--adopt", is_flag=True, help="Take over an output file that another job file wrote."),
    option("--json", "as_json", is_flag=True, help="Print the summary as JSON on stdout."),
    option(
        "--stats",
        type=DURATION,
        metavar="TIME",
        default="60s",
        show_default=True,
        help="Interval between progress lines.",
    ),
    option("--no-progress", is_flag=True, help="Print progress lines instead of a bar, even on a terminal."),
    option(
        "-q",
        "--quiet",
        is_flag=True,
        help="Print only warnings, errors and new failures, so that cron sends no mail if there is no news.",
    ),
    option("-v", "--verbose", is_flag=True, help="Print a progress line every second instead of a bar."),
)


def run_flags(function: Callable[..., int]) -> Callable[..., int]:
    """Add the flags of a run to a command, which is given their values as one, ``flags``."""

    @wraps(function)
    def collected(**given: Any) -> int:
        flags = RunFlags(**{name: given.pop(name) for name in RunFlags.__annotations__})
        return function(flags=flags, **given)

    return with_flags(collected, _FLAGS)
