"""Load what a caller passes as a job into a checked ``JobFile``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from batch.app.setup.environment import Environment
from batch.app.setup.price_tables import has_price
from batch.diagnostics import MAX_DIAGNOSTICS, DiagnosticList
from batch.errors import Diagnostic, JobFileError
from batch.inputs import further_errors
from batch.jobfile.job import JobFile
from batch.jobfile.load import load, load_mapping
from batch.jobfile.resolve.job_file import UnsoundJobError
from batch.results.contents import DAMAGED_START, REPAIR_OF_START, holds_results
from batch.results.damaged_start import has_damaged_start

if TYPE_CHECKING:
    from collections.abc import Sequence

Job: TypeAlias = str | Path | Mapping[str, object] | JobFile
"""A job file's path, a mapping with its keys, or a loaded job."""


def load_job(
    job: Job,
    *,
    settings: str | Path | None = None,
    overrides: Mapping[str, object] | None = None,
    flags: Mapping[str, str] | None = None,
    allow: Sequence[str | Path] = (),
) -> JobFile:
    """Load and check a job; ``flags`` maps ``overrides`` to their flags, for error messages.

    Raises ``JobFileError`` with all its errors.
    """
    if isinstance(job, JobFile):
        return job
    try:
        return _load(job, settings, overrides, flags, [Path(tree) for tree in allow])
    except UnsoundJobError as error:
        raise _with_further(error) from None


def _with_further(error: UnsoundJobError) -> UnsoundJobError:
    """Add the errors in the inputs and prompts, so that fixing one error does not reveal the next."""
    if error.count > MAX_DIAGNOSTICS:  # more than anyone reads, and some are only counted
        return error
    found = DiagnosticList()
    found.extend(error.diagnostics)
    found.extend(further_errors(error.job, error.diagnostics, error.invalid))
    return UnsoundJobError(found.error(), error.job, error.invalid)


def _load(
    job: str | Path | Mapping[str, object],
    settings: str | Path | None,
    overrides: Mapping[str, object] | None,
    flags: Mapping[str, str] | None,
    trees: list[Path],
) -> JobFile:
    home = Environment.current().home
    if isinstance(job, Mapping):
        return load_mapping(
            job,
            Path.cwd(),
            overrides=overrides,
            allow=trees,
            has_price=has_price,
            home=home,
        )
    path = Path(job)
    if os.path.isdir(path):  # unlike ``Path.is_dir``, it never raises
        raise JobFileError([Diagnostic(str(path), 0, 0, "", "is a folder, not a job file", _hint(path))])
    if not os.path.lexists(path):
        raise JobFileError([Diagnostic(str(path), 0, 0, "", "no such file", _hint(path.parent))])
    if (problem := _problem_of_output(path)) is not None:
        raise JobFileError([problem])
    with_file = None if settings is None else Path(settings)
    return load(
        path,
        settings=with_file,
        overrides=overrides,
        flags=flags,
        allow=trees,
        has_price=has_price,
        home=home,
    )


def _problem_of_output(path: Path) -> Diagnostic | None:
    """Return the error if the file is an output; ``None`` if it may be a job file."""
    if not os.path.isfile(path):
        return None
    with suppress(OSError):  # loading reports why it cannot be read
        if holds_results(path):
            hint = "use it with `status`, `show` or `export`"
            return Diagnostic(str(path), 0, 0, "", "is an output file, not a job file", hint)
        if has_damaged_start(path):
            return Diagnostic(str(path), 1, 1, "", DAMAGED_START, REPAIR_OF_START)
    return None


def _hint(folder: Path) -> str:
    near = sorted(path.name for path in folder.glob("*.yaml")) if os.path.isdir(folder) else []
    if near:
        return f"found in {folder}: {', '.join(near[:5])}"
    return "`promptjobs init` creates one"
