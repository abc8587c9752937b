"""The report of a quiet run: reads what was reported before, decides, and records what is reported now."""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batch.app.run.failure_news import Reported, news_of
from batch.app.setup.reclassified import restate_of
from batch.errors import ForeignOutputError
from batch.exit_codes import SOME_FAILED, SUCCESS
from batch.files import open_regular
from batch.inputs.readers.documents import MAX_BYTES
from batch.inputs.readers.file_selection import document_problem
from batch.jobfile.paths import real
from batch.results.filesystem import reason
from batch.results.reader import ResultReader
from batch.results.reported_failures import ReportedFailures, read_reported, reported_path, write_reported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from batch.app.run.failure_news import News
    from batch.app.run.open_failures import OpenFailure, OpenFailures
    from batch.jobfile.job import JobFile
    from batch.run_summary import Summary


def reported_before(output: Path) -> Reported:
    """Return what earlier runs have reported; nothing if that cannot be read."""
    before = read_reported(output)
    return Reported(frozenset(before.failures), before.listed_at)


def report_of(
    job: JobFile,
    summary: Summary,
    collected: OpenFailures,
    before: Reported,
    now: datetime,
    *,
    is_asked: bool,
    is_trouble: bool,
) -> News:
    """Return what a quiet run of the job has to say of failures. ``now`` is UTC.

    ``before`` is what earlier runs have reported. ``is_asked`` and ``is_trouble`` are those of ``news_of``; a
    run that is not finished is trouble, too.
    """
    failures = [_with_content(each, job, collected.documents) for each in collected.failures()]
    return news_of(
        failures,
        before,
        now,
        unlisted=max(summary.failed - len(failures), 0),
        is_whole=collected.is_whole,
        is_asked=is_asked,
        is_trouble=is_trouble or not _is_finished(summary),
    )


def reasons_of(job: JobFile, failures: Sequence[OpenFailure]) -> dict[str, str]:
    """Return the messages of failures by id. Those of earlier runs are read from the output, if it can be."""
    reasons = {each.id: each.message for each in failures if each.message is not None}
    missing = [each.id for each in failures if each.message is None]
    if missing:
        with suppress(OSError, ForeignOutputError), ResultReader(job.output, restate_of(job)) as lines:
            for result in filter(None, map(lines.result, missing)):
                if result.error is not None:
                    reasons[result.id] = result.error.message
    return reasons


def remember(output: Path, reported: Reported) -> str | None:
    """Record what has been reported. Return a notice if that is impossible: it will be reported again."""
    try:
        write_reported(output, ReportedFailures(reported.listed_at, sorted(reported.keys)))
    except OSError as error:
        return f"{reported_path(output)} cannot be written; failures are reported again: {reason(error)}"
    return None


def _is_finished(summary: Summary) -> bool:
    """Return whether the run has done all that it could: failed requests are the only reason of its code."""
    if summary.exit_code == SUCCESS:
        return True
    return summary.exit_code == SOME_FAILED and not summary.pending and not summary.reasons


def _with_content(failure: OpenFailure, job: JobFile, documents: Mapping[str, str]) -> OpenFailure:
    """Return the failure with a digest of its document, if that cannot be read as text.

    Its fingerprint is that of the error, which the edited document may have as well.
    """
    if job.inputs is None or failure.id not in documents:
        return failure
    path = real(Path(documents[failure.id]))
    if document_problem(path, job.inputs) is not None:  # it may not be read
        return failure
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES)
    except OSError:
        return failure
    return replace(failure, content=blake2b(content, digest_size=8).hexdigest())
