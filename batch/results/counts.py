"""What a result file amounts to, without the job that it belongs to and without changing it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from batch.codec import decode_result
from batch.results.contents import lines_except, survey
from batch.results.files import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result
    from batch.results.files import FileSystem


@dataclass(slots=True)
class Counts:
    """Requests by their latest line. Tokens are those that servers have counted for these lines.

    ``failed`` counts by error code; ``unreadable`` lines and a ``torn`` last one are mended by the next run.
    """

    succeeded: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreadable: int = 0
    torn: bool = False

    def add(self, result: Result) -> None:
        """Count one line."""
        if result.error is None:
            self.succeeded += 1
        else:
            self.failed[result.error.code] += 1
        if result.usage is not None:
            self.prompt_tokens += result.usage.prompt_tokens or 0
            self.completion_tokens += result.usage.completion_tokens or 0


def summarise(path: Path, *, files: FileSystem | None = None) -> Counts:
    """Count a result file in two streaming passes; a run may be appending to it meanwhile.

    Raises ``ForeignOutputError`` where the file is not one of ours, and ``OSError`` (such as
    ``FileNotFoundError``) where it cannot be read.
    """
    with (files or Disk()).open_read(path) as stream:
        contents = survey(stream, path)
        counts = Counts(unreadable=len(contents.unreadable), torn=contents.torn > 0)
        stream.seek(0)
        left = len(contents.index)
        for line in lines_except(stream, chain(contents.superseded, contents.unreadable)):
            if not left:
                break  # what has been appended since the first pass
            counts.add(decode_result(line))
            left -= 1
    return counts
