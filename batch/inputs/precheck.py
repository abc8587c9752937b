"""One pass over a whole job before anything is sent: invalid rows, duplicate ids, and the counts.

A job whose file has errors is read in the same way, as far as it can be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch.diagnostics import At, DiagnosticList, shown
from batch.errors import Diagnostic, JobFileError, ModelNotFoundError
from batch.inputs.identity import SHORT_BITS
from batch.inputs.readers.row import ColumnDiagnostic, InputsDiagnostic
from batch.inputs.source import JobSource
from batch.inputs.template_faults import CountedFaults
from batch.inputs.template_variables import unknown_in_documents
from batch.jobfile.job import DOCUMENTS, INSTRUCTIONS, Model
from batch.jobfile.schema.inputs_spec import ROW_KEYS
from batch.jobfile.template_syntax import syntax_problem
from batch.wire.dialects.registry import names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from batch.inputs.bad_rows import Origin
    from batch.inputs.source import Step
    from batch.jobfile import JobFile, Prompt
    from batch.records import Request

_SHORT = (1 << SHORT_BITS) - 1


@dataclass(frozen=True, slots=True)
class Checked:
    """The number of requests of a job, in total and per target, and the invalid rows that it skips.

    What a template does wrong in such rows is a warning among them, at its place in the job file.
    """

    total: int
    by_target: Mapping[str, int]
    skipped: tuple[Diagnostic, ...] = ()


def check(source: JobSource, each: Callable[[Request, Origin], object] | None = None) -> Checked:
    """Read all requests once, and pass each to ``each`` with its origin.

    Raises ``JobFileError`` with all errors in rows and ids.

    Without ``each``, samples are only counted: their ids differ in the last part alone.
    """
    reading = _Reading(source.job)
    counts = dict.fromkeys(source.targets, 0)
    ids = _Ids()
    step = source.job.samples if each is None else 1
    for request, origin in reading.requests(source.trace(samples=each is not None)):
        if origin.bad is None:
            counts[request.target] += step
        if each is not None:
            each(request, origin)
        ids.add(request.id)
    errors, skipped = reading.found()
    if suspects := ids.repeated():
        _name_duplicates(source, suspects, errors)
    errors.raise_if_any()
    return Checked(sum(counts.values()), counts, skipped.error().diagnostics if skipped else ())


class _Reading:
    """Reads the requests of a job, and sorts out the errors: those of rows, and those of templates."""

    def __init__(self, job: JobFile) -> None:
        self._job = job
        self._errors, self._skipped = DiagnosticList(), DiagnosticList()
        self._faults = CountedFaults(_unit(job))
        self._lacks_column = False
        self._has_read = False

    def requests(self, items: Iterable[Step]) -> Iterator[tuple[Request, Origin]]:
        """Yield the requests, also those that are not sent."""
        for item in items:
            if item is None:
                continue
            if isinstance(item, Diagnostic):
                self._has_read = self._has_read or not isinstance(item, InputsDiagnostic)
                self._lacks_column = self._lacks_column or isinstance(item, ColumnDiagnostic)
                self._faults.take(item, self._errors)
                continue
            self._has_read = True
            origin = item[1]
            if origin.bad is None:
                self._faults.row(origin.path, origin.line)
            else:
                self._faults.take(origin.bad, self._skipped)
            yield item

    def faults(self) -> list[Diagnostic]:
        """Return the errors of templates."""
        return self._faults.diagnostics()

    def found(self) -> tuple[DiagnosticList, DiagnosticList]:
        """Return the errors, and what is wrong with skipped rows."""
        faults = self.faults()
        if _skips(self._job):
            self._skipped.put_first(replace(fault, severity="warning") for fault in faults)
        else:
            self._errors.put_first(faults)
        # No row was usable, but the prompts can be filled without that column.
        if self._lacks_column and not self._has_read:
            self._errors.put_first(_faults_of_prompts(self._job))
        elif self._errors and not self._has_read:  # no prompt was filled, which would have found these
            self._errors.put_first(unknown_in_documents(self._job))
        return self._errors, self._skipped


def _faults_of_prompts(job: JobFile) -> list[Diagnostic]:
    """Return the errors of the templates, whatever the ids of the rows and the columns to keep."""
    if job.inputs is None:
        return []
    job = replace(job, inputs=replace(job.inputs, id_field=None, keep=()))
    reading = _Reading(job)
    for _ in reading.requests(JobSource(job, {}).trace(samples=False)):
        pass
    return reading.faults()


def _skips(job: JobFile) -> bool:
    return job.inputs is not None and job.inputs.skips


def _unit(job: JobFile) -> str | None:
    if job.inputs is None:
        return None
    return "document" if job.inputs.kind == DOCUMENTS else "row"


def further_errors(job: JobFile, known: Collection[Diagnostic], invalid: Collection[At]) -> list[Diagnostic]:
    """Return the errors in the inputs and prompts of a job whose file has the errors ``known``.

    The inputs are read unless one of the ``invalid`` values says what to read.
    """
    if _INPUTS in invalid:
        return []
    if any(at in _SPLIT or at[:2] in _TO_READ for at in invalid):
        return list(unknown_in_documents(job))
    sound = tuple(each for each in job.prompts if _is_sound(each))
    if job.rows is not None and not job.models:
        return []
    if job.rows is None:  # its own models may be invalid, and any will do
        job = replace(job, prompts=sound, models=(Model("model", names()[0], "model"),))
    try:
        check(JobSource(job, {}))
    except JobFileError as error:
        return [each for each in error.diagnostics if each not in known]
    except ModelNotFoundError:  # reported before
        pass
    return []


def _is_sound(prompt: Prompt) -> bool:
    """Return whether a prompt can be filled; one that is reported as invalid asks nothing."""
    asking = [message.content for message in prompt.messages if message.role not in INSTRUCTIONS]
    is_blank = not any(map(str.strip, (*asking, *prompt.images)))
    return not is_blank and not any(syntax_problem(text) for text, _, _ in prompt.texts())


_INPUTS: At = ("inputs",)
_TO_READ: frozenset[At] = frozenset((*_INPUTS, kind) for kind in (DOCUMENTS, *ROW_KEYS))
_SPLIT: frozenset[At] = frozenset({(*_INPUTS, "split"), (*_INPUTS, "split", "overlap")})


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
        if item is None or isinstance(item, Diagnostic) or _key(item[0].id) not in suspects:
            continue
        request, origin = item
        if request.id in first:
            diagnostics.append(_duplicate(request.id, origin, first[request.id]))
        first.setdefault(request.id, origin)


def _duplicate(request_id: str, origin: Origin, first: Origin) -> Diagnostic:
    there = f"on line {first.line}" if first.path == origin.path and first.line else f"in {first.path}"
    what = f"duplicate id {shown(request_id)}; the first is {there}"
    return Diagnostic(origin.path, origin.line, 1 if origin.line else 0, "", what, "ids must be unique")
