"""One pass over a whole job before anything is sent: every bad row, every duplicate id, and the counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.diagnostics import MistakeList, shown
from batch.errors import Mistake
from batch.inputs.identity import SHORT_BITS
from batch.inputs.template_variables import unknown_in_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batch.inputs.bad_rows import Origin
    from batch.inputs.source import JobSource
    from batch.records import Request

_SHORT = (1 << SHORT_BITS) - 1


@dataclass(frozen=True, slots=True)
class Checked:
    """How many requests a job has, in all and for each of its targets; and the bad rows that it skips."""

    total: int
    by_target: Mapping[str, int]
    skipped: tuple[Mistake, ...] = ()


def check(source: JobSource, each: Callable[[Request, Origin], object] | None = None) -> Checked:
    """Read all requests once, and show each to ``each`` with where it came from.

    Raises ``JobFileError`` with all mistakes in rows and ids.

    Samples are only counted where nobody asks to be shown them: their ids differ in the last part alone.
    """
    mistakes, skipped = MistakeList(), MistakeList()
    counts = dict.fromkeys(source.targets, 0)
    ids = _Ids()
    step = source.job.samples if each is None else 1
    has_read = False
    for item in source.trace(samples=each is not None):
        has_read = has_read or not (isinstance(item, Mistake) and item.where.startswith("inputs."))
        if isinstance(item, Mistake):
            mistakes.append(item)
            continue
        request, origin = item
        if origin.bad is None:
            counts[request.target] += step
        else:
            skipped.append(origin.bad)
        if each is not None:
            each(request, origin)
        ids.add(request.id)
    if mistakes and not has_read:  # no prompt was filled, which would have found these
        for mistake in unknown_in_documents(source.job):
            mistakes.append(mistake)
    if suspects := ids.repeated():
        _name_duplicates(source, suspects, mistakes)
    mistakes.raise_if_any()
    return Checked(sum(counts.values()), counts, skipped.error().mistakes if skipped else ())


class _Ids:
    """Ids, of each of which 60 bits of a hash are remembered.

    Those whose hash comes twice are to be looked at again, since two ids are not equal because their hashes
    are.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._repeated: set[int] = set()

    def add(self, request_id: str) -> None:
        key = _key(request_id)
        if key in self._seen:
            self._repeated.add(key)
        self._seen.add(key)

    def repeated(self) -> set[int]:
        """The hashes that have come more than once; all others are forgotten."""
        self._seen.clear()
        return self._repeated


def _key(request_id: str) -> int:
    return hash(request_id) & _SHORT


def _name_duplicates(source: JobSource, suspects: set[int], mistakes: MistakeList) -> None:
    first: dict[str, Origin] = {}
    for item in source.trace():
        if isinstance(item, Mistake) or _key(item[0].id) not in suspects:
            continue
        request, origin = item
        if request.id in first:
            mistakes.append(_duplicate(request.id, origin, first[request.id]))
        first.setdefault(request.id, origin)


def _duplicate(request_id: str, origin: Origin, first: Origin) -> Mistake:
    there = f"line {first.line}" if first.path == origin.path and first.line else first.path
    what = f"a second request with the id {shown(request_id)}; the first is from {there}"
    return Mistake(origin.path, origin.line, 1 if origin.line else 0, "", what, "ids must be unique")
