"""The requests of a job or the results of an output as a stream of rows, filtered.

Memory depends on the number of results, by what the index of an output takes, and never on their texts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from batch.app.run.plan import open_source
from batch.app.setup.reclassified import restate_of
from batch.results.reader import ResultReader, reading
from batch.results.reclassification import WITHOUT_JOB
from batch.scheduling.resume import State, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch.app.inspect.row_filters import Filters, Status
    from batch.jobfile.job import JobFile
    from batch.records import Known, Result

_STATUS: dict[State, Status] = {
    State.NEW: "pending",
    State.CHANGED: "pending",
    State.DONE: "succeeded",
    State.FAILED: "failed",
    State.GIVEN_UP: "failed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One request. ``result`` is its latest line, ``None`` if there is none.

    A request is ``pending`` while it has no result, or only one of an earlier version of itself (``stale``).
    ``code`` is that of a failure, else empty.
    """

    id: str
    status: Status
    code: str
    result: Result | None
    stale: bool = False


def _line(lines: ResultReader, number: int) -> Result:
    return next(lines.at([number]))


@dataclass(slots=True)
class Listing:
    """Counts the rows of a listing: all of them by status, those that pass the filters, those that are shown.

    ``counts`` are all requests of the job, or all results of the output. ``limit`` is the largest number of
    rows to show, ``None`` if there is no limit.
    """

    filters: Filters
    limit: int | None = None
    counts: Counter[Status] = field(default_factory=Counter)
    matching: int = 0
    shown: int = 0

    @property
    def left_out(self) -> int:
        """Rows that pass the filters and are not shown."""
        return self.matching - self.shown

    def of_output(self, output: Path) -> Iterator[Row]:
        """Yield the latest result of each id, in the order of the file.

        Raises ``UsageError`` if the file cannot be read or was not written by this program.
        """
        with reading(output), ResultReader(output, WITHOUT_JOB) as lines:
            index = lines.contents.index
            for number in index.latest():
                known = index.at(number)
                status: Status = "succeeded" if known.succeeded else "failed"
                row = self._row("", status, known, partial(_line, lines, number))
                if row is not None:
                    yield row

    def of_job(self, job: JobFile) -> Iterator[Row]:
        """Yield the job's requests in its order.

        Raises ``JobFileError`` for errors in the inputs, and ``UsageError`` as ``of_output`` does.
        """
        with reading(job.output), ResultReader(job.output, restate_of(job)) as lines:
            for request in open_source(job).requests():
                known = lines.known(request.id)
                where = state(request, known)
                row = self._row(
                    request.id,
                    _STATUS[where],
                    known,
                    partial(lines.result, request.id),
                    stale=where is State.CHANGED,
                )
                if row is not None:
                    yield row

    def _row(
        self,
        request_id: str,
        status: Status,
        known: Known | None,
        read: Callable[[], Result | None],
        *,
        stale: bool = False,
    ) -> Row | None:
        """Count a row and return it if it is to be shown. ``read`` reads its line, only where needed."""
        self.counts[status] += 1
        code = known.code if known is not None and status == "failed" else ""
        if not self.filters.take(status, code):
            return None
        is_full = self.limit is not None and self.shown >= self.limit
        if is_full and not self.filters.text:
            self.matching += 1
            return None
        result = None if known is None else read()
        name = request_id if result is None else result.id
        if not self.filters.take_text(name, result):
            return None
        self.matching += 1
        if is_full:
            return None
        self.shown += 1
        return Row(name, status, code, result, stale)
