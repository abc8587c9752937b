"""``promptjobs validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from batch.cli import error_formats as written
from batch.cli.console import counted, emit, option, print_json, print_message, report_error
from batch.cli.job_options import jobs_flags, load_all, shard_option
from batch.errors import JobFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from batch.errors import Diagnostic


@click.command("validate")
@jobs_flags
@shard_option
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
    from batch.app.run.several_jobs import check_inputs
    from batch.app.setup.environment import Environment

    try:
        jobs = load_all(jobfiles, **job)
        counts = check_inputs(jobs, print_message)
    except JobFileError as error:
        _report(error, output_format, [*jobfiles, job["settings"]])
        for text in error.notices:
            print_message(text)
        return error.exit_code
    for text in dict.fromkeys(text for each in jobs for text in advice(each, Environment.current())):
        print_message(text)
    if output_format == "json":
        _print_json((), dict(zip(map(str, jobfiles), counts, strict=True)))
    for loaded, count in zip(jobs, counts, strict=True):
        print_message(f"{loaded.path}: no errors; {_print_text(count)}")
    return 0


def _print_text(count: Mapping[str, int] | None) -> str:
    if count is None:
        return "its requests depend on another job's results"
    models = ", ".join(f"{name} {number}" for name, number in count.items())
    return f"{counted(sum(count.values()), 'request')} ({models})"


def _report(error: JobFileError, form: str, paths: Iterable[Path | None]) -> None:
    if form == "json":
        _print_json(error.diagnostics, {})
    elif form == "github":
        emit("\n".join(written.as_github(error.diagnostics)))
    elif form == "full":
        report_error(error, written.full(error.diagnostics, written.sources(paths)))
    else:
        report_error(error)


def _print_json(
    diagnostics: tuple[Diagnostic, ...], requests: Mapping[str, Mapping[str, int] | None]
) -> None:
    print_json({"schema_version": 1, "mistakes": diagnostics, "requests": requests})
