"""Several jobs in sequence, such as map and reduce: checks of all of them before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from batch.app.run.endpoints import Address, members
from batch.app.run.plan import open_source
from batch.diagnostics import DiagnosticList
from batch.errors import Diagnostic, JobFileError
from batch.inputs.precheck import check
from batch.inputs.readers.table_files import may_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Return the results of the calls. Raises one ``JobFileError`` with all their errors and notices."""
    diagnostics, results = DiagnosticList(), []
    notices: list[str] = []
    for call in calls:
        try:
            results.append(call())
        except JobFileError as error:
            diagnostics.extend(error.diagnostics)
            notices.extend(error.notices)
    if diagnostics:
        raise diagnostics.error(notices)
    return results


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


def check_inputs(
    jobs: Sequence[JobFile], notice: Callable[[str], None] | None = None
) -> list[Mapping[str, int] | None]:
    """Check the inputs of all jobs, and count their requests by target.

    A job that reads the results of an earlier one cannot be counted yet: ``None``. ``notice`` receives
    notices about the inputs. Raises ``JobFileError`` with the errors of all.
    """
    return together(_counted(job, jobs[:index], notice) for index, job in enumerate(jobs))


def check_addresses(jobs: Iterable[JobFile], environment: Environment) -> None:
    """Look up the addresses and keys of all jobs. Raises ``UntrustedKeyError`` and ``UsageError``."""
    for job in jobs:
        for model in job.models:
            for member in members(model).values():
                Address(member, environment)


def _counted(
    job: JobFile, earlier: Sequence[JobFile], notice: Callable[[str], None] | None
) -> Callable[[], Mapping[str, int] | None]:
    def count() -> Mapping[str, int] | None:
        if written_by(job, earlier) is not None:
            return None
        source = open_source(job)
        try:
            checked = check(source)
        except JobFileError as error:
            raise JobFileError(error.diagnostics, error.count, source.notices) from None
        if notice is not None:
            for text in (*source.notices, *(f"{bad} (skipped)" for bad in checked.skipped)):
                notice(text)
        return checked.by_target

    return count
