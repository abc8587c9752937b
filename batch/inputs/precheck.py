"""One pass over a whole job before anything is sent: invalid rows, duplicate ids, and the counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.diagnostics import DiagnosticList, shown
from batch.errors import Diagnostic
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
    """The number of requests of a job, in total and per target, and the invalid rows that it skips."""

    total: int
    by_target: Mapping[str, int]
    skipped: tuple[Diagnostic, ...] = ()


def check(source: JobSource, each: Callable[[Request, Origin], object] | None = None) -> Checked:
    """Read all requests once, and pass each to ``each`` with its origin.

    Raises ``JobFileError`` with all errors in rows and ids.

    Without ``each``, samples are only counted: their ids differ in the last part alone.
    """
    diagnostics, skipped = DiagnosticList(), DiagnosticList()
    counts = dict.fromkeys(source.targets, 0)
    ids = _Ids()
    step = source.job.samples if each is None else 1
    has_read = False
    for item in source.trace(samples=each is not None):
        has_read = has_read or not (isinstance(item, Diagnostic) and item.where.startswith("inputs."))
        if isinstance(item, Diagnostic):
            diagnostics.append(item)
            continue
        request, origin = item
        if origin.bad is None:
            counts[request.target] += step
        else:
            skipped.append(origin.bad)
        if each is not None:
            each(request, origin)
        ids.add(request.id)
    if diagnostics and not has_read:  # no prompt was filled, which would have found these
        for diagnostic in unknown_in_documents(source.job):
            diagnostics.append(diagnostic)
    if suspects := ids.repeated():
        _name_duplicates(source, suspects, diagnostics)
    diagnostics.raise_if_any()
    return Checked(sum(counts.values()), counts, skipped.error().diagnostics if skipped else ())


class _Ids:
    """Ids, of which 60 bits of a hash each are kept.

    Those whose hash occurs twice must be compared, since equal hashes do not mean equal ids.
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
        """Return the hashes that have occurred more than once; forget all others."""
        self._seen.clear()
        return self._repeated


def _key(request_id: str) -> int:
    return hash(request_id) & _SHORT


def _name_duplicates(source: JobSource, suspects: set[int], diagnostics: DiagnosticList) -> None:
    first: dict[str, Origin] = {}
    for item in source.trace():
        if isinstance(item, Diagnostic) or _key(item[0].id) not in suspects:
            continue
        request, origin = item
        if request.id in first:
            diagnostics.append(_duplicate(request.id, origin, first[request.id]))
        first.setdefault(request.id, origin)


def _duplicate(request_id: str, origin: Origin, first: Origin) -> Diagnostic:
    there = f"on line {first.line}" if first.path == origin.path and first.line else f"in {first.path}"
    what = f"duplicate id {shown(request_id)}; the first is {there}"
    return Diagnostic(origin.path, origin.line, 1 if origin.line else 0, "", what, "ids must be unique")
