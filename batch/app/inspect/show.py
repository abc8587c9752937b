"""One request of a job or of an output: its messages and its result."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.app.run.plan import open_source
from batch.app.setup.reclassified import restate_of
from batch.errors import UsageError
from batch.results.reader import find, reading
from batch.results.reclassification import WITHOUT_JOB
from batch.results.summary_file import currency_in
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.jobfile.job import JobFile
    from batch.records import JSONObject, Result


@dataclass(frozen=True, slots=True)
class Shown:
    """A request by its ``id``. ``result`` is its latest line, ``None`` while it is pending.

    ``stale``: the line answers other messages, another model or other parameters than the job now has.
    ``messages`` are those that the line answers, or else the job's; ``None`` if they are unknown.
    ``currency`` is that of the cost, ``None`` if it is unknown.
    """

    id: str
    result: Result | None
    messages: Sequence[JSONObject] | None
    stale: bool = False
    currency: str | None = None


def of_output(output: Path, request_id: str) -> Shown:
    """Return the result of a request in a file. Raises ``UsageError`` if there is none."""
    with reading(output):
        result = find(output, request_id, WITHOUT_JOB)
    if result is None:
        raise UsageError(f"{output} has no line with the id {escape(request_id)}")
    return Shown(request_id, result, result.messages, currency=currency_in(output))


def of_job(job: JobFile, request_id: str) -> Shown:
    """Return the request with this id in a job, and its result in the output.

    A line whose request the job no longer has is shown, too. Raises ``JobFileError``, and ``UsageError`` if
    neither has the id or the output cannot be read.
    """
    result = None
    request = next((each for each in open_source(job).requests() if each.id == request_id), None)
    with reading(job.output), suppress(FileNotFoundError):
        result = find(job.output, request_id, restate_of(job))
    if result is None:
        if request is None:
            raise UsageError(f"neither {job.path} nor its output knows the id {escape(request_id)}")
        return Shown(request_id, None, request.messages)
    if request is None:
        return Shown(request_id, result, result.messages, currency=job.currency)
    is_stale = result.fingerprint != request.fingerprint
    messages = request.messages if result.messages is None or not is_stale else result.messages
    return Shown(request_id, result, messages, is_stale, job.currency)
