"""``promptjobs merge``"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from batch.cli.console import counted, print_json, print_line, print_message
from batch.cli.flags import option
from batch.cli.option_types import FILE, NewFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.app.merge import Merged
    from batch.records import JSONObject


@click.command("merge")
@click.argument("outputs", type=FILE, nargs=-1, required=True, metavar="OUTPUT...")
@click.option(
    "-o",
    "--output",
    type=NewFile(dash="results must be written to a file; name one"),
    required=True,
    metavar="FILE",
    help="The merged output. If it exists, its lines are merged, too.",
)
@option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(outputs: tuple[Path, ...], output: Path, as_json: bool) -> int:
    """Merge the outputs of a job's shards into one.

    The merged output has one line per request, as if one process had run the job: a success counts before a
    failure, and then the newest line. Superseded answers are kept in FILE.superseded.jsonl. The outputs stay
    as they are, except that damaged lines are repaired as `run` does. The same command can be repeated.

    Outputs of different jobs are not merged, nor is an output that a run is writing.
    """
    from batch.app.merge import merge
    from batch.app.run.open_file_limit import raise_limit

    raise_limit()
    merged = merge(outputs, output)
    for notice in merged.notices:
        print_message(notice)
    if as_json:
        print_json(_for_programs(merged))
    else:
        for line in _print_text(merged):
            print_line(line)
    return 0


def _for_programs(merged: Merged) -> JSONObject:
    return {
        "schema_version": 1,
        "output": str(merged.output),
        "merged": merged.outputs,
        "succeeded": merged.succeeded,
        "failed": merged.failed,
        "superseded": merged.superseded,
    }


def _print_text(merged: Merged) -> Iterator[str]:
    from batch.files import relative

    failed = f", {merged.failed} failed" if merged.failed else ""
    path = relative(str(merged.output))
    yield f"{counted(merged.outputs, 'output')} merged: {merged.succeeded} succeeded{failed}; {path}"
    if merged.superseded:
        yield f"  {counted(merged.superseded, 'superseded answer')} kept in {path}.superseded.jsonl"
    job = None if merged.owner is None else merged.owner.written
    if job is not None and os.path.isfile(job):
        yield f"  `promptjobs check {shlex.quote(relative(job))}` verifies that every request has a result"
