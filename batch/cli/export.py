"""``promptjobs export``"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from batch.cli.console import option, say
from batch.cli.jobs import FILE, is_results, job_changes, load
from batch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch.app.export import Answer, Exported, Exporter

FORMATS = ("messages", "sharegpt", "completion", "csv", "parquet", "openai-batch")

_READER_GONE = 141
"""What a shell makes of a command that nobody reads any more."""


@click.command("export")
@job_changes
@option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@option("-o", "--to", type=FILE, metavar="FILE", help="The file to write, in place of standard output.")
@option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Write two files, FILE.train and FILE.test, with about this share for testing.",
)
@option("--failed", is_flag=True, help="Keep failed results (csv, parquet and openai-batch).")
def command(
    jobfile: Path, form: str, to: Path | None, test_share: float | None, failed: bool, **job: Any
) -> int:
    """Write results as a data set or a table.

    JOBFILE is a job file, or an output file. From a job file, results come in the job's order and with the
    messages that they answer. An output file has only what its lines hold: for messages, sharegpt and
    completion the job must have said `output: {include: [messages]}`.

    \b
      messages      {"messages": [...]}, a conversation a line
      sharegpt      {"conversations": [{"from": ..., "value": ...}, ...]}
      completion    {"prompt": ..., "completion": ...}
      csv, parquet  a table with a row for each result
      openai-batch  the lines of an OpenAI Batch output file
    """
    from batch.app.export import Exporter

    exporter = Exporter(form, keep_failed=failed, test_share=test_share or 0.0)
    if to is not None:
        if to.exists() and jobfile.exists() and to.samefile(jobfile):
            raise UsageError(f"{to} would be overwritten by what is read from it")
        files = exporter.to_file(_answers(exporter, jobfile, job), to)
    elif test_share is not None:
        raise click.UsageError("--test-share writes two files: name one with --to")
    elif sys.stdout.isatty():
        raise click.UsageError("answers do not belong on a terminal: name a file with --to, or redirect them")
    else:
        try:
            exporter.to_stream(_answers(exporter, jobfile, job), sys.stdout.buffer)
        except BrokenPipeError:  # as with `| head`
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # Python flushes once more at its end
            return _READER_GONE
        files = []
    for line in _in_words(exporter.exported, files):
        say(line)
    return 0


def _answers(exporter: Exporter, path: Path, job: dict[str, Any]) -> Iterator[Answer]:
    try:
        if is_results(path):
            return exporter.of_output(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return exporter.of_job(load(path, **job))


def _in_words(exported: Exported, files: Iterable[Path]) -> Iterator[str]:
    parts = f" ({exported.for_test} for testing)" if exported.for_test else ""
    where = f" to {' and '.join(map(str, files))}" if files else ""
    yield f"{exported.written} results written{where}{parts}"
    for why, number in exported.left_out.most_common():
        yield f"  {number} left out: {why}"
