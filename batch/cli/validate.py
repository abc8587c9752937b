"""``promptjobs validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click

from batch.cli.console import counted, emit, print_json, print_message, print_warnings, report_error
from batch.cli.flags import option
from batch.cli.job_options import jobs_flags, shard_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from batch.app.inspect.validation import Validation

Form: TypeAlias = Literal["full", "concise", "json", "github"]


@click.command("validate")
@jobs_flags
@shard_option
@option(
    "--online",
    is_flag=True,
    help="Ask each server for its models, with the key that a run would send. Without it, only servers on "
    "this machine are asked, without a key.",
)
@option(
    "--output-format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="full: quote the lines of the file; concise: one line per error; json, github: print JSON or "
    "GitHub annotations on stdout.",
)
def command(jobfiles: tuple[Path, ...], *, online: bool, output_format: Form, **job: Any) -> int:
    """Check job files and their inputs, and report every error. No prompt is sent."""
    from batch.app.inspect.validation import validate
    from batch.app.setup.environment import Environment
    from batch.cli.job_loading import loads

    found = validate(loads(jobfiles, **job), Environment.current(), online=online)
    _report(found, output_format, [*jobfiles, job["settings"]])
    for text in found.notices:
        print_message(text)
    for loaded, count in found.requests:
        print_message(f"{loaded.path}: no errors; {_print_text(count)}")
    return 0 if found.error is None else found.error.exit_code


def _print_text(count: Mapping[str, int] | None) -> str:
    if count is None:
        return "its requests depend on another job's results"
    models = ", ".join(f"{name} {number}" for name, number in count.items())
    return f"{counted(sum(count.values()), 'request')} ({models})"


def _report(found: Validation, form: Form, paths: Iterable[Path | None]) -> None:
    from batch.cli import error_formats as written

    errors = () if found.error is None else found.error.diagnostics
    if form == "json":
        requests = {str(job.path): count for job, count in found.requests}
        fields = {"mistakes": errors, "warnings": found.warnings, "requests": requests}
        print_json({"schema_version": 1, **fields})
    elif form == "github":
        if lines := written.as_github(written.together(errors, found.warnings)):
            emit("\n".join(lines))
    else:
        sources = written.sources(paths) if form == "full" else {}
        if found.error is None:
            print_warnings(written.full(found.warnings, sources))
        else:
            report_error(found.error, written.full(written.together(errors, found.warnings), sources))
