"""The flags that select and change a job; several commands share them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from batch.cli.flags import option, with_flags
from batch.cli.option_types import FILE, NameIn, NewFile, Setting, ShardNumber

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_jobfile = click.argument("jobfile", type=FILE)
_jobfiles = click.argument("jobfiles", type=FILE, nargs=-1, required=True, metavar="JOBFILE...")

_OUTPUT = option(
    "-o",
    "--output",
    type=NewFile(dash="results must be written to a file, so that the next run can resume; name one"),
    metavar="FILE",
    help="The output file to use instead of the job's own.",
)

_CHANGES: tuple[Callable[[Any], Any], ...] = (
    option(
        "--with",
        "settings",
        type=FILE,
        metavar="FILE",
        help="A YAML file of settings for a JSONL job file: any key except prompts and inputs.",
    ),
    option(
        "--provider", type=NameIn("batch.wire.dialects.registry"), help="The API dialect of the endpoint."
    ),
    option("--base-url", metavar="URL", help="The address of the endpoint; `local` starts the embedded one."),
    option("--model", metavar="NAME", help="The model to use instead of those in the job file."),
    option(
        "--set",
        "settings_list",
        multiple=True,
        type=Setting(),
        metavar="KEY=VALUE",
        help="Set a key of the job file, such as params.temperature=0.2. Can be repeated.",
    ),
    option(
        "--allow-path",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Also allow paths in the job file to point into this directory. Can be repeated.",
    ),
)

shard_option = option(
    "--shard",
    type=ShardNumber(),
    metavar="I/N",
    help="Take only shard I of N, with an output of its own and a share of rates and budgets.",
)


def job_flags(function: F) -> F:
    """Add the job file and its flags. The command passes them all to ``job_loading.load`` as keywords."""
    return with_flags(_jobfile(function), (_OUTPUT, *_CHANGES))


def job_changes(function: F) -> F:
    """Add the same flags without ``--output``, for a command that writes elsewhere."""
    return with_flags(_jobfile(function), _CHANGES)


def jobs_flags(function: F) -> F:
    """Add the same flags for several job files, which the command passes to ``job_loading.load_all``."""
    return with_flags(_jobfiles(function), (_OUTPUT, *_CHANGES))


def jobs_changes(function: F) -> F:
    """Add them without ``--output``, for a command that reads several job files and writes elsewhere."""
    return with_flags(_jobfiles(function), _CHANGES)


def job_settings(function: F) -> F:
    """Add them without a job file, for a command that names its arguments itself."""
    return with_flags(function, _CHANGES)
