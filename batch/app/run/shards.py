"""The other outputs of a job that concern a run: the merged one, and those of shards."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.app.setup.reclassified import restate_of
from batch.files import relative
from batch.jobfile.shard import without_shard
from batch.results.reader import ResultReader, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from batch.app.run.plan import Plan
    from batch.jobfile.job import JobFile
    from batch.records import Result
    from batch.scheduling.selection import Selection

_NUMBERS = re.compile(r"\.([0-9]+)-of-([0-9]+)\.[^.]*\Z", re.ASCII)


def with_merged(
    job: JobFile, selection: Selection, each: Callable[[Result], None] | None = None
) -> Selection:
    """Return the selection of a run: a shard does not send what the merged output settles.

    ``each`` is called with each line of that; an exception from it ends the reading. Raises ``UsageError`` if
    it cannot be read, and ``ForeignOutputError``.
    """
    if job.merged is None:
        return selection
    with reading(job.merged), ResultReader(job.merged, restate_of(job), each) as merged:
        return replace(selection, merged=merged.known)  # its index stays when the file is closed


def merged_notice(job: JobFile, plan: Plan) -> str:
    """Return how many requests of a shard the merged output settles; empty if there are none."""
    if not plan.elsewhere:
        return ""
    have = "1 request has its result" if plan.elsewhere == 1 else f"{plan.elsewhere} requests have results"
    return f"{have} in {job.merged}; not sent again"


def unmerged_notice(job: JobFile) -> str:
    """Return a warning about results of shards that the run does not know; empty if there are none."""
    output = job.merged or job.output
    count = None if job.shard is None else job.shard.count
    others = [path for path in unmerged(output) if count is None or _numbers_of(path)[0] != count]
    if not others:
        return ""
    return f"results of shards that are not merged yet do not count; `{merge_command(output, others)}`"


def unmerged(output: Path) -> list[Path]:
    """Return the outputs of shards, by number, if any of them is newer than the output of their job."""
    outputs = shard_outputs(output)
    merged_at = _modified(output)
    return outputs if any(_modified(path) > merged_at for path in outputs) else []


def shard_outputs(output: Path) -> list[Path]:
    """Return the outputs of shards beside that of their job, by number of shards and by number."""
    beside = output.parent.glob("*-of-*") if output.parent.is_dir() else ()
    return sorted(
        (path for path in beside if _NUMBERS.search(path.name) and without_shard(path.name) == output.name),
        key=_numbers_of,
    )


def merge_command(output: Path, outputs: Iterable[Path]) -> str:
    """Return the command that merges the outputs of shards into that of their job."""
    counts = {_numbers_of(path)[0] for path in outputs}
    count = counts.pop() if len(counts) == 1 else "*"
    whole = relative(str(output))
    stem = shlex.quote(whole.removesuffix(output.suffix))
    return f"promptjobs merge {stem}.*-of-{count}{output.suffix} -o {shlex.quote(whole)}"


def _numbers_of(path: Path) -> tuple[int, int]:
    """Return the number of shards and the number of the shard from the name of an output."""
    found = _NUMBERS.search(path.name)
    return (int(found[2]), int(found[1])) if found else (0, 0)


def _modified(path: Path) -> int:
    """Return the time of the last change in nanoseconds; 0 for a missing file."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
