"""Two outputs compared by the ids of their requests, in bounded memory.

The index of each output is in memory, and a byte per line for what has become of it; no texts are. One pass
over both files classifies all pairs. The lines that are shown are read again.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from batch.app.inspect.row_filters import Filters
from batch.app.setup.reclassified import restate_of
from batch.errors import UsageError
from batch.results.comparison.changes import DIFFERENCES, Change, change_of, circumstances
from batch.results.comparison.measures import Measures
from batch.results.reader import ResultReader, reading, unreadable
from batch.results.reclassification import WITHOUT_JOB, Restate
from batch.results.summary_file import currency_in
from batch.results.superseded import superseded_path
from batch.scheduling.selection import matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.jobfile.job import JobFile
    from batch.records import Result

_CHANGES = (*DIFFERENCES, Change.SAME)
_NUMBERS = {change: number for number, change in enumerate(_CHANGES, 1)}
_LEFT_OUT = 0
"""The mark of lines that are superseded or do not pass the filters."""


@dataclass(frozen=True, slots=True)
class Side:
    """An output to compare, how its lines are read, and the currency of its costs, ``None`` if unknown."""

    output: Path
    restate: Restate = WITHOUT_JOB
    currency: str | None = None


def of_output(output: Path) -> Side:
    """Return an output without its job."""
    return Side(output, currency=currency_in(output))


def of_job(job: JobFile) -> Side:
    """Return the output of a job. Raises ``UsageError`` if there is none yet."""
    if not job.output.exists():
        raise UsageError(f"{job.path} has no results yet: {job.output} does not exist")
    return Side(job.output, restate_of(job), job.currency)


def superseded_of(side: Side) -> Side:
    """Return the answers that newer ones in the output have replaced.

    Raises ``UsageError`` if there are none.
    """
    path = _superseded(side.output)
    if not path.exists():
        raise UsageError(f"{side.output} has no superseded answers; name the output to compare it with")
    return Side(path, side.restate, side.currency)


def _superseded(output: Path) -> Path:
    return superseded_path(Path(os.path.realpath(output)))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests are compared: those with an id or pattern in ``only``, and with this ``text``.

    The text may be in the id, or in the answer or the error message of either result. Empty: all requests.
    """

    only: tuple[str, ...] = ()
    text: str = ""

    def takes(self, request_id: str, before: Result | None, after: Result | None) -> bool:
        """Return whether the request is compared."""
        if self.only and not any(matches(pattern, request_id) for pattern in self.only):
            return False
        if not self.text:
            return True
        wanted = Filters(text=self.text)
        return wanted.take_text(request_id, before) or wanted.take_text(request_id, after)


@dataclass(frozen=True, slots=True)
class Pair:
    """One request with its results; one of them is ``None`` if its output has no line of the request."""

    id: str
    change: Change
    before: Result | None
    after: Result | None


@dataclass(slots=True)
class Totals:
    """The numbers of a comparison.

    ``circumstances`` counts the same answers in which another field differs, by that field. ``before`` and
    ``after`` measure the requests that both outputs have. ``never_superseded`` counts the results without an
    earlier answer, where an output is compared with its superseded answers: they are not new. ``damaged``
    counts the lines of each output that cannot be read, and so are not compared.
    """

    changes: Counter[Change] = field(default_factory=Counter)
    circumstances: Counter[str] = field(default_factory=Counter)
    before: Measures = field(default_factory=Measures)
    after: Measures = field(default_factory=Measures)
    never_superseded: int = 0
    damaged: tuple[int, int] = (0, 0)

    @property
    def are_equal(self) -> bool:
        """Whether no request differs."""
        return not any(self.changes[change] for change in DIFFERENCES)

    @property
    def in_both(self) -> int:
        """The requests that both outputs have."""
        return self.changes.total() - self.changes[Change.ADDED] - self.changes[Change.REMOVED]

    def add(self, pair: Pair) -> None:
        """Count a request."""
        self.changes[pair.change] += 1
        if pair.before is None or pair.after is None:
            return
        self.before.add(pair.before)
        self.after.add(pair.after)
        if pair.change is Change.SAME:
            self.circumstances.update(circumstances(pair.before, pair.after))


@contextmanager
def compared(before: Side, after: Side, selection: Selection) -> Iterator[Comparison]:
    """Compare two outputs, which stay open.

    Raises ``UsageError`` if one cannot be read, and ``ForeignOutputError`` if another program has written it.
    """
    with _Lines(before) as earlier, _Lines(after) as later:
        with_superseded = _superseded(after.output) == Path(os.path.realpath(before.output))
        yield Comparison(earlier, later, selection, with_superseded=with_superseded)


class Comparison:
    """Two outputs that have been compared: the totals, and the pairs by what has changed.

    What reads lines again raises ``UsageError`` if a file cannot be read any more.
    """

    def __init__(self, before: _Lines, after: _Lines, selection: Selection, *, with_superseded: bool) -> None:
        self.totals = Totals(damaged=(before.damaged, after.damaged))
        self._before, self._after = before, after
        self._selection = selection
        self._compare(with_superseded=with_superseded)

    def pairs(self, change: Change) -> Iterator[Pair]:
        """Yield the pairs with this change in the later output's order; removed ones in the earlier one's."""
        if change is Change.REMOVED:
            for result in self._before.marked(change):
                yield Pair(result.id, change, result, None)
            return
        for result in self._after.marked(change):
            number = self._before.number(result.id)
            before = None if number is None else self._before.at(number)
            yield Pair(result.id, change, before, result)

    def results_before(self) -> Iterator[tuple[Result, Change]]:
        """Yield the compared results of the earlier output, in its order."""
        return self._before.compared()

    def results_after(self) -> Iterator[tuple[Result, Change]]:
        """Yield the compared results of the later output, in its order."""
        return self._after.compared()

    def _compare(self, *, with_superseded: bool) -> None:
        for number, after in self._after.latest():
            earlier = self._before.number(after.id)
            if earlier is not None:
                mark = self._mark(after.id, self._before.at(earlier), after)
                self._before.marks[earlier] = self._after.marks[number] = mark
            elif not with_superseded:
                self._after.marks[number] = self._mark(after.id, None, after)
            elif self._selection.takes(after.id, None, after):
                self.totals.never_superseded += 1
        for number, before in self._before.latest():
            if self._after.number(before.id) is None:
                self._before.marks[number] = self._mark(before.id, before, None)

    def _mark(self, request_id: str, before: Result | None, after: Result | None) -> int:
        """Count a request, and return the mark of its lines."""
        if not self._selection.takes(request_id, before, after):
            return _LEFT_OUT
        pair = Pair(request_id, change_of(before, after), before, after)
        self.totals.add(pair)
        return _NUMBERS[pair.change]


class _Lines:
    """The latest lines of one output, each with a mark for its change."""

    def __init__(self, side: Side) -> None:
        self._output = side.output
        with reading(side.output):
            self._reader = ResultReader(side.output, side.restate)
        self._index = self._reader.contents.index
        self.marks = bytearray(len(self._reader.contents))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.__exit__(*error)

    @property
    def damaged(self) -> int:
        """Number of lines that cannot be read."""
        return self._reader.contents.damaged

    def number(self, request_id: str) -> int | None:
        """Return the number of the latest line of an id; ``None`` if there is none."""
        return self._index.line(request_id)

    def at(self, number: int) -> Result:
        """Return the result in a line."""
        try:
            return next(self._reader.at([number]))
        except OSError as error:
            raise unreadable(self._output, error) from error

    def latest(self) -> Iterator[tuple[int, Result]]:
        """Yield the latest line of each id with its number, in file order."""
        with reading(self._output):
            yield from zip(self._index.latest(), self._reader.results(), strict=True)

    def marked(self, change: Change) -> Iterator[Result]:
        """Yield the results with this change."""
        mark = _NUMBERS[change]
        number = self.marks.find(mark)
        while number >= 0:
            yield self.at(number)
            number = self.marks.find(mark, number + 1)

    def compared(self) -> Iterator[tuple[Result, Change]]:
        """Yield the results that pass the filters, with their changes."""
        for number, mark in enumerate(self.marks):
            if mark != _LEFT_OUT:
                yield self.at(number), _CHANGES[mark - 1]
