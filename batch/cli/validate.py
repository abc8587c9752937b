"""``promptjobs validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from batch.cli import mistakes as written
from batch.cli.console import option, report_error, say
from batch.cli.jobs import job_flags, load
from batch.errors import JobFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from batch.errors import Mistake


@click.command("validate")
@job_flags
@option(
    "--output-format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="With lines of the file; a line each; as JSON or as annotations for GitHub, on stdout.",
)
def command(jobfile: Path, output_format: Literal["full", "concise", "json", "github"], **job: Any) -> int:
    """Name every mistake in a job file and its inputs; send nothing."""
    from batch.app.plan import open_source
    from batch.inputs.check import check

    try:
        loaded = load(jobfile=jobfile, **job)
        counts = check(open_source(loaded)).by_target
    except JobFileError as error:
        _report(error, output_format, [jobfile, job["settings"]])
        return error.exit_code
    if output_format == "json":
        _print_json((), counts)
    models = ", ".join(f"{name} {count}" for name, count in counts.items())
    say(f"{loaded.path}: no mistakes; {sum(counts.values())} requests ({models})")
    return 0


def _report(error: JobFileError, form: str, paths: Iterable[Path | None]) -> None:
    if form == "json":
        _print_json(error.mistakes, {})
    elif form == "github":
        click.echo("\n".join(written.as_github(error.mistakes)))
    elif form == "full":
        report_error(error, written.full(error.mistakes, written.sources(paths)))
    else:
        report_error(error)


def _print_json(mistakes: tuple[Mistake, ...], requests: Mapping[str, int]) -> None:
    import msgspec

    click.echo(msgspec.json.encode({"mistakes": mistakes, "requests": requests}))
