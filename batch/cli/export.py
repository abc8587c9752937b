"""``promptjobs export``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import counted, print_message
from batch.cli.flags import option
from batch.cli.job_options import job_changes
from batch.cli.option_types import NameIn, NewFile
from batch.cli.streams import to_stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from batch.app.inspect.export import Exported, Exporter
    from batch.app.inspect.export_sources import Answers


@click.command("export")
@job_changes
@option(
    "--format", "form", type=NameIn("batch.results.export.registry"), required=True, help="The output format."
)
@option("-o", "--to", type=NewFile(), metavar="FILE", help="The file to write instead of standard output.")
@option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Write two files, FILE.train and FILE.test, with about this share of the results in FILE.test.",
)
@option(
    "--columns",
    metavar="NAMES",
    help="The columns of csv and parquet, in this order: names separated by commas, patterns such as "
    "`parsed.*`, `default` or `all`.",
)
@option("--include-reasoning", is_flag=True, help="Include the reasoning in the answers (messages).")
@option("--failed", is_flag=True, help="Include failed results (csv, parquet and openai-batch).")
def command(
    jobfile: Path,
    form: str,
    to: Path | None,
    test_share: float | None,
    columns: str | None,
    include_reasoning: bool,
    failed: bool,
    **job: Any,
) -> int:
    """Write results as a data set or a table.

    JOBFILE is a job file or an output file. With a job file, results come in the job's order, with the
    messages that were sent and the columns of the inputs. An output file works for messages, sharegpt and
    completion only if the job has `output: {include: [messages]}`.

    \b
      messages      {"messages": [...]}, one conversation per line
      sharegpt      {"conversations": [{"from": ..., "value": ...}, ...]}
      completion    {"prompt": ..., "completion": ...}
      csv, parquet  a table with one row per result
      openai-batch  the lines of an OpenAI Batch output file
    """
    from batch.app.inspect.export import Exporter, ExportOptions

    exporter = Exporter(form, ExportOptions(columns, include_reasoning, failed, test_share or 0.0))
    if to is not None:
        answers, read = _answers(exporter, jobfile, job)
        files = exporter.to_file(answers, to, read)
    elif test_share is not None:
        raise click.UsageError("--test-share writes two files: name one with --to")
    elif sys.stdout.isatty():
        raise click.UsageError(
            "this format cannot be printed on a terminal; use --to FILE, or redirect the output"
        )
    else:
        with to_stdout():
            exporter.to_stream(_answers(exporter, jobfile, job)[0], sys.stdout.buffer)
        files = []
    for line in _print_text(exporter.exported, files):
        print_message(line)
    return 0


def _answers(
    exporter: Exporter, path: Path, job: dict[str, Any]
) -> tuple[AbstractContextManager[Answers], list[Path]]:
    """Return the answers, and the files that they come from."""
    from batch.app.inspect.export_sources import sources
    from batch.cli.job_loading import is_results, load

    if is_results(path):
        return exporter.of_output(path), [path]
    loaded = load(path, **job)
    settings = [job["settings"]] if job["settings"] else []
    return exporter.of_job(loaded), sources(loaded) + settings


def _print_text(exported: Exported, files: Iterable[Path]) -> Iterator[str]:
    parts = f" ({exported.for_test} for testing)" if exported.for_test else ""
    where = f" to {' and '.join(map(str, files))}" if files else ""
    yield f"{counted(exported.written, 'result')} written{where}{parts}"
    for why, number in exported.left_out.most_common():
        yield f"  {number} left out: {why}"
    if exported.relabelled:
        yield f"  {exported.relabelled} written with the current metadata, which has changed since the answer"
