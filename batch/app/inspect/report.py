"""A report of jobs and outputs: their requests with all that is known of them, written to one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batch.app.run.timestamps import utc_now
from batch.app.setup.reclassified import restate_of
from batch.errors import OutputWriteError, UsageError
from batch.report.model import Entry, Output
from batch.report.page import MARK, render
from batch.results.filesystem import Disk, reason, replace_content
from batch.results.reader import ResultReader, reading
from batch.results.reclassification import WITHOUT_JOB
from batch.results.run_history import read_history
from batch.results.summary_file import currency_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch.jobfile.job import JobFile
    from batch.records import Request, Result
    from batch.report.model import ComparisonView, Settings


def of_output(output: Path) -> Output:
    """Return an output without its job: the prompts are known only where its lines hold them."""
    return Output(output.stem, str(output), _results(output), read_history(output), currency_in(output))


def of_job(job: JobFile) -> Output:
    """Return the requests of a job in its order, with their results and prompts.

    Reading them raises ``JobFileError`` for errors in the inputs, and ``UsageError`` if the output cannot be
    read.
    """
    return Output(job.name, str(job.output), _requests(job), read_history(job.output), job.currency)


def default_path(output: Path) -> Path:
    """Return the path of the report of an output: beside it."""
    output = Path(os.path.realpath(output))
    return output.with_name(f"{output.name}.html")


def write(
    outputs: Sequence[Output], path: Path, settings: Settings, comparison: ComparisonView | None = None
) -> int:
    """Write the report, which appears when it is complete, and return its size in bytes.

    It gets the mode of an earlier report, or else that of the first output. Raises what reading the outputs
    raises, ``UsageError`` if the file is not a report of this program, and ``OutputWriteError``.
    """
    path = Path(os.path.realpath(path))  # replacing a symbolic link would not change the file it points to
    _check_replaceable(path)
    like = path if path.exists() else Path(outputs[0].path)
    try:
        page = render(outputs, settings, now=utc_now(), comparison=comparison)
        replace_content(Disk(), path, page, like=like)
        return path.stat().st_size
    except OSError as error:
        raise OutputWriteError(f"{path} could not be written: {reason(error)}") from error


def _check_replaceable(path: Path) -> None:
    """Raise ``UsageError`` unless the path is free or holds a report of this program."""
    if not os.path.exists(path):
        return
    with reading(path):
        if os.path.isfile(path):
            with path.open("rb") as stream:
                if stream.read(len(MARK)) == MARK.encode():
                    return
    raise UsageError(f"{path} exists and is not a report of promptjobs; name another file with -o")


def _results(output: Path) -> Iterator[Entry]:
    """Yield the latest result of each id, in the order of the file."""
    with reading(output), ResultReader(output, WITHOUT_JOB) as lines:
        for result in lines.results():
            yield Entry(result.id, result.status, result, result.messages)


def _requests(job: JobFile) -> Iterator[Entry]:
    """Yield the requests of a job in its order."""
    from batch.app.run.plan import open_source  # noqa: PLC0415 - a report of an output reads no inputs

    with reading(job.output), ResultReader(job.output, restate_of(job)) as lines:
        for request in open_source(job).requests():
            yield _entry(request, lines.result(request.id))


def _entry(request: Request, result: Result | None) -> Entry:
    """Return a request with its result, and the prompt of the job only if the result answers it."""
    if result is None:
        return Entry(request.id, "pending", None, request.messages, rendered=True, target=request.target)
    if result.fingerprint != request.fingerprint:
        return Entry(request.id, "pending", result, result.messages, stale=True)
    if result.messages is not None:
        return Entry(request.id, result.status, result, result.messages)
    return Entry(request.id, result.status, result, request.messages, rendered=True)
