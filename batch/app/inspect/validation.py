"""Validate job files: their text, their inputs, their environment, and the servers that may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from batch.app.advice import advice, unset
from batch.app.inspect.model_lists import ask, may_ask
from batch.app.run.several_jobs import check_outputs, combined, each_result, input_checks
from batch.diagnostics import in_order
from batch.errors import JobFileError
from batch.jobfile.resolve.job_file import UnsoundJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from batch.app.setup.environment import Environment
    from batch.errors import Diagnostic
    from batch.jobfile.job import JobFile


@dataclass(frozen=True, slots=True)
class Validation:
    """What was found. ``error`` has all errors, if there are any; then ``requests`` is empty.

    ``requests`` are those of each job by target; ``None`` for one that reads another job's results.
    """

    error: JobFileError | None
    warnings: tuple[Diagnostic, ...]
    notices: tuple[str, ...]
    requests: tuple[tuple[JobFile, Mapping[str, int] | None], ...]


def validate(loads: Iterable[Callable[[], JobFile]], environment: Environment, *, online: bool) -> Validation:
    """Load the jobs and check everything. With ``online``, their servers are asked for their models."""
    jobs, errors = each_result(loads)
    checked, input_errors = each_result(input_checks(jobs))
    try:
        check_outputs(jobs)
    except JobFileError as error:
        input_errors.append(error)
    errors += input_errors
    readable = [*jobs, *(error.job for error in errors if isinstance(error, UnsoundJobError))]
    severity = "error" if online else "warning"
    found = [each for job in readable for each in unset(job, environment, severity=severity)]
    found += _asked(readable, environment, online=online)
    if wrong := [each for each in found if each.severity == "error"]:
        errors.append(JobFileError(wrong))
    warnings = [each for result in checked for each in result.warnings]
    warnings += [each for error in errors for each in error.warnings]
    warnings += [each for each in found if each.severity != "error"]
    notices = [text for result in checked for text in result.notices]
    notices += [text for error in errors for text in error.notices]
    notices += [text for job in jobs for text in advice(job, environment)]
    requests = zip(jobs, (result.requests for result in checked), strict=True) if not errors else ()
    return Validation(
        combined(errors) if errors else None,
        tuple(in_order(list(dict.fromkeys(warnings)))),
        tuple(dict.fromkeys(notices)),
        tuple(requests),
    )


def _asked(jobs: Sequence[JobFile], environment: Environment, *, online: bool) -> list[Diagnostic]:
    asked = [job for job in jobs if may_ask(job, online=online)]

    async def ask_all() -> list[Diagnostic]:
        return await ask(asked, environment, online=online)

    return anyio.run(ask_all) if asked else []
