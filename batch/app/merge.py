"""Merge the outputs of a job's shards into one output, as if one process had run the job."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from batch.app.merge_owner import merged_owner
from batch.errors import OutputWriteError, UsageError
from batch.results.contents import refuse_foreign, results_in
from batch.results.event_log import EventLog
from batch.results.filesystem import Disk, reason, replace_content
from batch.results.line_reader import tidy
from batch.results.lock import OutputLock
from batch.results.merged_lines import MergedLines
from batch.results.output_owner import write_owner
from batch.results.reclassification import WITHOUT_JOB
from batch.results.repair import Repairer
from batch.results.sidecars import ENDINGS, match_sidecars
from batch.results.superseded import Digests, check_superseded, set_aside, superseded_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch.results.output_owner import Owner

_BESIDE = tuple(f".jsonl{ending}" for ending in ENDINGS)
"""The ends of the names of files beside outputs."""


@dataclass(slots=True)
class Merged:
    """What a merge has written. ``outputs`` counts the files that were read, without an earlier ``output``.

    ``superseded`` counts the answers that are kept beside the output. ``owner`` is the job that wrote the
    outputs, as far as it is known. ``notices`` are sentences about repairs.
    """

    output: Path
    outputs: int
    succeeded: int = 0
    failed: int = 0
    superseded: int = 0
    owner: Owner | None = None
    notices: list[str] = field(default_factory=list)


def merge(outputs: Sequence[Path], into: Path) -> Merged:
    """Merge outputs of one job ``into`` a file, which may exist and may be one of them.

    The outputs stay, and are repaired as a run repairs its own. Raises ``UsageError`` for files that are no
    outputs of one job, ``OutputLockedError`` if a run holds one of them, and ``OutputWriteError``.
    """
    target = Path(os.path.realpath(into))
    sources = _sources(outputs, target)
    owner = merged_owner(sources, target)
    with ExitStack() as locks:
        for path in dict.fromkeys((target, *sources)):
            locks.enter_context(OutputLock(path))
        match_sidecars(target)
        merged = Merged(target, sum(path != target for path in sources), owner=owner)
        with _writing(target):
            _merge(sources, merged)
        return merged


def _sources(outputs: Sequence[Path], target: Path) -> list[Path]:
    """Return the files to read, each once: the target first, if it exists.

    A pattern such as ``*-of-*.jsonl`` also matches files beside outputs, such as that of superseded answers.
    """
    named = (Path(os.path.realpath(path)) for path in outputs)
    sources = list(dict.fromkeys((target, *(path for path in named if not path.name.endswith(_BESIDE)))))
    for path in sources:
        if path != target and not path.exists():
            raise UsageError(
                f"{path} cannot be merged: no such file; a shard that has sent nothing has no output"
            )
        refuse_foreign(path)
    return sources if target.exists() else sources[1:]


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        named = f" ({error.filename})" if error.filename else ""
        raise OutputWriteError(f"{target} could not be merged: {reason(error)}{named}") from error


def _merge(sources: Sequence[Path], merged: Merged) -> None:
    files, target = Disk(), merged.output
    inputs = _Inputs()
    for path in sources:
        merged.notices += inputs.read(files, path)
    chosen = inputs.lines.choose()
    if not chosen.lines:
        raise UsageError("the outputs have no results to merge")
    merged.succeeded = chosen.succeeded
    merged.failed = len(chosen.lines) - chosen.succeeded
    merged.superseded = len(chosen.superseded)
    with ExitStack() as stack:
        streams = [stack.enter_context(files.open_read(path)) for path in sources]
        _keep_superseded(files, sources, target, inputs.at(streams, chosen.superseded))
        like = target if target.exists() else sources[0]
        replace_content(files, target, inputs.at(streams, chosen.lines), like=like)
    if merged.owner is not None:
        write_owner(target, merged.owner, files=files)
    _log(merged)


class _Inputs:
    """The lines of all files, numbered in the order in which they were read, and where each begins."""

    def __init__(self) -> None:
        self.lines = MergedLines()
        self._starts = array("Q")
        self._first: list[int] = []

    def read(self, files: Disk, path: Path) -> list[str]:
        """Repair and read a file; return notices about repairs."""
        repairer = Repairer(files, path, WITHOUT_JOB)
        self._first.append(len(self.lines))
        self._starts.extend(repairer.read(self.lines.add).starts)
        if len(self._starts) != len(self.lines):
            raise OSError(f"another program has changed {path}")
        return repairer.notices

    def at(self, streams: Sequence[BinaryIO], numbers: Iterable[int]) -> Iterator[bytes]:
        """Yield the lines with these numbers. Raises ``OSError`` if a file has changed."""
        for number in numbers:
            stream = streams[bisect_right(self._first, number) - 1]
            stream.seek(self._starts[number])
            line = stream.readline()
            if not line.endswith(b"\n"):
                raise OSError("another program has changed an output")
            yield tidy(line)


def _keep_superseded(files: Disk, sources: Sequence[Path], target: Path, lines: Iterator[bytes]) -> None:
    """Add superseded answers, also those that runs have kept, to those of the target, each once."""
    for path in sources:
        check_superseded(files, path)
    kept = [found for path in sources if path != target and (found := superseded_path(path)).exists()]
    added = _unique(chain(lines, chain.from_iterable(map(_results, kept))))
    first = next(added, None)
    if first is not None:
        state = files.state(superseded_path(target))
        set_aside(files, target, chain([first], added), repeated=0 if state is None else state.size)


def _results(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that are results."""
    with path.open("rb") as stream:
        yield from (tidy(line) for line in stream if results_in(line))


def _unique(lines: Iterable[bytes]) -> Iterator[bytes]:
    seen = Digests()
    for line in lines:
        if line not in seen:
            seen.add(line)
            yield line


def _log(merged: Merged) -> None:
    with EventLog(merged.output, wall=partial(datetime.now, UTC), on_trouble=merged.notices.append) as log:
        counts = f"{merged.succeeded} succeeded, {merged.failed} failed"
        log.write("merge", f"process {os.getpid()}: {merged.outputs} outputs merged: {counts}")
