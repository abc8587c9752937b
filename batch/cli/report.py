"""``promptjobs report``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from batch.cli.console import print_line
from batch.cli.flags import option
from batch.cli.job_options import jobs_changes
from batch.cli.option_types import NewFile, Size


@click.command("report")
@jobs_changes
@option(
    "-o",
    "--to",
    type=NewFile(dash="a report is a file; name one"),
    metavar="FILE",
    help="The file to write. The default is the output's name with `.html` added.",
)
@click.option("--open", "opens", is_flag=True, help="Open the report in a browser.")
@option(
    "--no-text",
    is_flag=True,
    help="Leave out the texts of prompts, answers and error messages, and the input columns. IDs stay.",
)
@option(
    "--max-size",
    type=Size(),
    default="40MB",
    show_default=True,
    metavar="SIZE",
    help="Maximum size of the page. A larger one holds every row, and the texts of failed requests and of a "
    "sample of the others.",
)
def command(
    jobfiles: tuple[Path, ...], to: Path | None, opens: bool, no_text: bool, max_size: int, **job: Any
) -> int:
    """Write the results as one HTML page, to read in a browser.

    Each JOBFILE is a job file or an output file; several are shown together. The page holds the runs with
    their timelines, the failures by cause, and a table of all results with their prompts. It needs no
    network.

    With a job file, requests come in the job's order, and prompts are those of the job. With an output file,
    a prompt is known only if its line holds it (`output: {include: [messages]}`).
    """
    from batch.app.inspect import report
    from batch.cli.job_loading import of_each
    from batch.report.model import Settings

    outputs = of_each(jobfiles, report.of_output, report.of_job, **job)
    path = report.default_path(Path(outputs[0].path)) if to is None else to
    size = report.write(outputs, path, Settings(has_text=not no_text, max_size=max_size))
    print_line(written(path, size))
    if opens:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def written(path: Path, size: int) -> str:
    """Return what is printed about a page that has been written, with its size in bytes."""
    from batch.files import relative

    return f"report written to {relative(str(path))} ({_shown(size)})"


def _shown(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
