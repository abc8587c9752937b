"""Several jobs in sequence, such as map and reduce: checks of all of them before anything is sent."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from batch.app.run.plan import open_source
from batch.diagnostics import DiagnosticList, in_order
from batch.errors import Diagnostic, JobFileError
from batch.inputs.precheck import check
from batch.inputs.readers.table_files import may_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batch.jobfile.job import JobFile

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Return the results of the calls. Raises one ``JobFileError`` with all their errors and notices."""
    results, errors = each_result(calls)
    if errors:
        raise combined(errors)
    return results


def each_result(calls: Iterable[Callable[[], T]]) -> tuple[list[T], list[JobFileError]]:
    """Return the results of the calls that succeed, and the errors of the others."""
    results, errors = [], []
    for call in calls:
        try:
            results.append(call())
        except JobFileError as error:
            errors.append(error)
    return results, errors


def combined(errors: Sequence[JobFileError]) -> JobFileError:
    """Return one error with the diagnostics, the notices and the warnings of all."""
    diagnostics = in_order([each for error in errors for each in error.diagnostics])
    notices = [text for error in errors for text in error.notices]
    warnings = [each for error in errors for each in error.warnings]
    return JobFileError(diagnostics, sum(error.count for error in errors), notices, warnings)


def written_by(job: JobFile, earlier: Sequence[JobFile]) -> JobFile | None:
    """Return the earlier job whose results this job reads."""
    inputs = job.inputs
    return next((other for other in earlier if inputs and may_read(inputs, other.output)), None)


def check_outputs(jobs: Sequence[JobFile]) -> None:
    """Raise ``JobFileError`` if two jobs write to one file: each would find the other's results stale."""
    diagnostics = DiagnosticList()
    first: dict[Path, JobFile] = {}
    for job in jobs:
        other = first.setdefault(job.output, job)
        if other is not job:
            what = f"writes to {job.output}, as {other.path} does"
            hint = "name another file, or another `name`"
            diagnostics.append(Diagnostic(str(job.path), 0, 0, "output.path", what, hint))
    diagnostics.raise_if_any()


class CheckedInputs(Struct, frozen=True):
    """What was found in a job's inputs: its requests by target, notices and warnings.

    ``requests`` is ``None`` if the job reads the results of an earlier one, which do not exist yet.
    """

    requests: Mapping[str, int] | None
    notices: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


def input_checks(jobs: Sequence[JobFile]) -> Iterator[Callable[[], CheckedInputs]]:
    """Yield for each job a function that checks its inputs, and raises ``JobFileError`` with their errors."""
    return (partial(_checked, job, jobs[:index]) for index, job in enumerate(jobs))


def check_inputs(jobs: Sequence[JobFile]) -> None:
    """Check the inputs of all jobs. Raises ``JobFileError`` with the errors of all."""
    together(input_checks(jobs))


def _checked(job: JobFile, earlier: Sequence[JobFile]) -> CheckedInputs:
    if written_by(job, earlier) is not None:
        return CheckedInputs(None, warnings=job.warnings)
    source = open_source(job)
    try:
        checked = check(source)
    except JobFileError as error:
        raise JobFileError(error.diagnostics, error.count, source.file_notices, source.warnings) from None
    warnings = (*source.warnings, *(bad for bad in checked.skipped if bad.severity == "warning"))
    skipped = [f"{bad} (skipped)" for bad in checked.skipped if bad.severity != "warning"]
    return CheckedInputs(checked.by_target, (*source.file_notices, *skipped), warnings)
