"""The answers that an export writes: those of a job, or those of an output file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.json import decode
from msgspec.structs import replace

from batch.app.inspect.export_fields import fields_of_job
from batch.app.run.plan import open_source
from batch.app.setup.reclassified import restate_of
from batch.codec import encode_json
from batch.errors import Diagnostic, JobFileError
from batch.inputs.readers.table_files import Table, tables
from batch.jobfile.job import DOCUMENTS
from batch.results.export.columns import PARSED, KnownFields
from batch.results.export.protocol import Answer
from batch.results.reader import ResultReader, reading
from batch.results.reclassification import WITHOUT_JOB
from batch.results.summary_file import currency_in

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from pathlib import Path

    from batch.jobfile.job import JobFile
    from batch.records import JSONObject, Result

PENDING, STALE = "pending", "stale"


class Answers(Struct):
    """Answers in their order, to be read once, and what is known of all of them beforehand.

    ``fields`` are complete only for a table. ``currency`` is that of their costs, ``None`` if it is unknown.
    ``tool_calls``: some call tools.
    """

    stream: Iterator[Answer]
    fields: KnownFields
    currency: str | None = None
    tool_calls: bool = False


class _Survey:
    """What all lines of an output have, seen while they are indexed."""

    def __init__(self) -> None:
        self.fields = KnownFields()
        self.tool_calls = False

    def see(self, result: Result) -> None:
        """Add what a line has whatever its format: whether it calls tools."""
        self.tool_calls = self.tool_calls or bool(result.tool_calls)

    def see_answer(self, result: Result) -> None:
        """Add the fields of a structured answer."""
        self.see(result)
        self.fields.of[PARSED].see(result.parsed)

    def see_line(self, result: Result) -> None:
        """Add all fields of a line, where no job declares those of its metadata."""
        self.see_answer(result)
        self.fields.see_metadata(result.metadata)


@contextmanager
def answers_in(output: Path, *, as_table: bool) -> Iterator[Answers]:
    """Open the results of a file, in its order. Raises ``UsageError`` if it cannot be read."""
    survey = _Survey()
    with reading(output):
        lines = ResultReader(output, WITHOUT_JOB, survey.see_line if as_table else survey.see)
    with lines:
        yield Answers(_results(output, lines), survey.fields, currency_in(output), survey.tool_calls)


def _results(output: Path, lines: ResultReader) -> Iterator[Answer]:
    with reading(output):
        for result in lines.results():
            yield Answer(result, result.messages)


@contextmanager
def answers_of(job: JobFile, left_out: Counter[str], *, as_table: bool) -> Iterator[Answers]:
    """Open the results of a job's requests, in the job's order, each with the messages that it answers.

    A result whose request has changed since is left out. The metadata and the input columns are the job's:
    correcting a label requires no new answer. Only a table needs the fields of the inputs, which are read
    once more for it.

    Raises ``JobFileError``, and ``UsageError`` if the output cannot be read.
    """
    survey = _Survey()
    if as_table:
        survey.fields = fields_of_job(job)
    with reading(job.output):
        lines = ResultReader(job.output, restate_of(job), survey.see_answer if as_table else survey.see)
    with lines:
        yield Answers(_of_job(job, lines, left_out), survey.fields, job.currency, survey.tool_calls)


def _of_job(job: JobFile, lines: ResultReader, left_out: Counter[str]) -> Iterator[Answer]:
    for item in open_source(job).trace():
        if isinstance(item, Diagnostic):
            raise JobFileError([item])
        if item is None:
            continue
        request, origin = item
        result = lines.result(request.id)
        if result is None:
            left_out[PENDING] += 1
        elif result.fingerprint != request.fingerprint:
            left_out[STALE] += 1
        else:
            relabelled = not _is_same(request.metadata, result.metadata)
            if relabelled:
                result = replace(result, metadata=request.metadata)
            yield Answer(result, request.messages, origin.variables, relabelled)


def _is_same(current: JSONObject, stored: JSONObject) -> bool:
    return current == stored or decode(encode_json(current)) == stored


def sources(job: JobFile) -> list[Path]:
    """Return the files that a job's answers come from, except documents."""
    files = [path for path in (job.path, job.output, job.rows) if path]
    if job.inputs is not None and job.inputs.kind != DOCUMENTS:
        found = tables(job.inputs, job.output)
        files += [table.path for table in found if isinstance(table, Table)]
    return files
