"""Statistics of a result file, without its job and without changing it."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from batch.codec import decode_result
from batch.results.contents import survey
from batch.results.filesystem import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result
    from batch.results.contents import Contents
    from batch.results.filesystem import FileSystem
    from batch.results.reclassification import Restate


class Statistics(Struct):
    """Counts of requests by their latest line. Tokens are those that servers have reported for these lines.

    ``failed`` counts by error code. ``cost`` is the sum of known costs. ``provider_costs`` counts the lines
    whose cost the provider has reported, completely or partly, and ``unpriced`` those with tokens and without
    a cost. The next run removes ``superseded`` lines, ``unreadable`` ones and a ``partial`` last line.
    """

    succeeded: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0
    provider_costs: int = 0
    priced: int = 0
    unpriced: int = 0
    superseded: int = 0
    unreadable: int = 0
    partial: bool = False

    def add(self, result: Result) -> None:
        """Count one line."""
        self._count(result, 1)

    def remove(self, result: Result) -> None:
        """Remove one line from the counts."""
        self._count(result, -1)

    def _count(self, result: Result, step: int) -> None:
        if result.error is None:
            self.succeeded += step
        else:
            self.failed[result.error.code] += step
        if result.cost is not None:
            self.cost += step * result.cost
            self.priced += step
            self.provider_costs += step * bool(result.cost_source)
        if result.usage is not None:
            self.prompt_tokens += step * (result.usage.prompt_tokens or 0)
            self.completion_tokens += step * (result.usage.completion_tokens or 0)
            self.cached_tokens += step * (result.usage.cached_tokens or 0)
            self.cache_write_tokens += step * (result.usage.cache_write_tokens or 0)
            self.reasoning_tokens += step * (result.usage.reasoning_tokens or 0)
            self.unpriced += step * (result.cost is None)


class Latencies:
    """The seconds that the last attempts of succeeded requests have taken."""

    def __init__(self) -> None:
        self._seconds = array("d")

    def add(self, result: Result) -> None:
        """Add a result, if it succeeded and its time is known."""
        if result.status == "succeeded" and result.timings.total is not None:
            self._seconds.append(result.timings.total)

    def percentiles(self) -> tuple[float, float] | None:
        """Return the median and the 90th percentile; ``None`` if no time is known."""
        if not self._seconds:
            return None
        ordered = sorted(self._seconds)
        return ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10]


def summarise(
    path: Path, *, files: FileSystem | None = None, restate: Restate | None = None
) -> tuple[Statistics, Contents]:
    """Count a result file in one streaming pass; a run may be appending to it.

    ``restate`` translates results of an older version. Raises ``ForeignOutputError`` for another program's
    file, and ``OSError`` (such as ``FileNotFoundError``) if it cannot be read.
    """
    counts = Statistics()

    def stated(result: Result) -> Result:
        return result if restate is None else restate(result)

    with (files or Disk()).open_read(path) as stream:
        contents = survey(stream, path, lambda result: counts.add(stated(result)), restate)
        for line in contents.lines(stream, contents.index.superseded_lines()):
            counts.remove(stated(decode_result(line)))
    counts.superseded = contents.index.superseded
    counts.unreadable = contents.index.unreadable
    counts.partial = contents.partial > 0
    counts.failed = +counts.failed  # codes with a count of zero are removed
    return counts, contents
