"""``promptjobs validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from batch.cli import error_formats as written
from batch.cli.console import counted, emit, option, print_json, report_error, say
from batch.cli.job_options import jobs_flags, load_all
from batch.errors import JobFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from batch.errors import Mistake


@click.command("validate")
@jobs_flags
@option(
    "--output-format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="full: quote the lines of the file; concise: one line per error; json, github: print JSON or "
    "GitHub annotations on stdout.",
)
def command(
    jobfiles: tuple[Path, ...], output_format: Literal["full", "concise", "json", "github"], **job: Any
) -> int:
    """Check job files and their inputs; report every error and send nothing."""
    from batch.app.advice import advice
    from batch.app.run.sequence import check_inputs
    from batch.app.setup.environment import Environment

    try:
        jobs = load_all(jobfiles, **job)
        counts = check_inputs(jobs, say)
    except JobFileError as error:
        _report(error, output_format, [*jobfiles, job["settings"]])
        for text in error.notices:
            say(text)
        return error.exit_code
    for text in dict.fromkeys(text for each in jobs for text in advice(each, Environment.current())):
        say(text)
    if output_format == "json":
        _print_json((), dict(zip(map(str, jobfiles), counts, strict=True)))
    for loaded, count in zip(jobs, counts, strict=True):
        say(f"{loaded.path}: no mistakes; {_in_words(count)}")
    return 0


def _in_words(count: Mapping[str, int] | None) -> str:
    if count is None:
        return "its requests come from another job's results"
    models = ", ".join(f"{name} {number}" for name, number in count.items())
    return f"{counted(sum(count.values()), 'request')} ({models})"


def _report(error: JobFileError, form: str, paths: Iterable[Path | None]) -> None:
    if form == "json":
        _print_json(error.mistakes, {})
    elif form == "github":
        emit("\n".join(written.as_github(error.mistakes)))
    elif form == "full":
        report_error(error, written.full(error.mistakes, written.sources(paths)))
    else:
        report_error(error)


def _print_json(mistakes: tuple[Mistake, ...], requests: Mapping[str, Mapping[str, int] | None]) -> None:
    print_json({"schema_version": 1, "mistakes": mistakes, "requests": requests})
