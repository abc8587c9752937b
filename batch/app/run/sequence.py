"""Several jobs in a row, such as map and reduce: what can be known of all before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from batch.app.run.endpoints import Address, members
from batch.app.run.plan import open_source
from batch.diagnostics import MistakeList
from batch.errors import JobFileError, Mistake
from batch.inputs.precheck import check
from batch.inputs.readers.table_files import may_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from batch.app.setup.environment import Environment
    from batch.jobfile.job import JobFile

T = TypeVar("T")


def together(calls: Iterable[Callable[[], T]]) -> list[T]:
    """What the calls return. Raises one ``JobFileError`` with the mistakes and notices of all that fail."""
    mistakes, results = MistakeList(), []
    notices: list[str] = []
    for call in calls:
        try:
            results.append(call())
        except JobFileError as error:
            mistakes.extend(error.mistakes)
            notices.extend(error.notices)
    if mistakes:
        raise mistakes.error(notices)
    return results


def written_by(job: JobFile, earlier: Sequence[JobFile]) -> JobFile | None:
    """The one of the earlier jobs whose results this job reads."""
    inputs = job.inputs
    return next((other for other in earlier if inputs and may_read(inputs, other.output)), None)


def check_outputs(jobs: Sequence[JobFile]) -> None:
    """Raise ``JobFileError`` where two jobs write to one file: each finds the other's results stale."""
    mistakes = MistakeList()
    first: dict[Path, JobFile] = {}
    for job in jobs:
        other = first.setdefault(job.output, job)
        if other is not job:
            what = f"writes to {job.output}, as {other.path} does"
            hint = "name another file, or another `name`"
            mistakes.append(Mistake(str(job.path), 0, 0, "output.path", what, hint))
    mistakes.raise_if_any()


def check_inputs(
    jobs: Sequence[JobFile], notice: Callable[[str], None] | None = None
) -> list[Mapping[str, int] | None]:
    """Check the inputs of all jobs, and count their requests by target.

    What reads the results of an earlier one cannot be counted yet: ``None``. ``notice`` is told what a
    person should know of the inputs. Raises ``JobFileError`` with the mistakes of all.
    """
    return together(_counted(job, jobs[:index], notice) for index, job in enumerate(jobs))


def check_addresses(jobs: Iterable[JobFile], environment: Environment) -> None:
    """Look up where all jobs go, and their keys. Raises ``UntrustedKeyError`` and ``UsageError``."""
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
            raise JobFileError(error.mistakes, error.count, source.notices) from None
        if notice is not None:
            for text in (*source.notices, *(f"{bad} (skipped)" for bad in checked.skipped)):
                notice(text)
        return checked.by_target

    return count
