"""The fields that a job's exports have as columns, whatever has been answered so far.

They come from the job file and its inputs, and not from single answers, so that two exports of one job have
the same columns of the same types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.documents import VARIABLES
from batch.inputs.readers.row import Row
from batch.jobfile.job import DOCUMENTS
from batch.jobfile.syntax.job_rows import JobRow, job_rows
from batch.results.export.column_kinds import Kind
from batch.results.export.columns import INPUT, MATRIX, METADATA, PARSED, KnownFields
from batch.results.export.schema_fields import fields_of
from batch.structured_output import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from batch.jobfile.job import Inputs, JobFile

_CHUNK = ("chunk", "chunks")


def fields_of_job(job: JobFile) -> KnownFields:
    """Return the fields of the job's matrix, inputs, metadata and response formats.

    Reads the inputs once, except documents, whose fields are known.
    """
    known = KnownFields()
    for schema in _schemas(job):
        for name, kind in fields_of(schema).items():
            known.of[PARSED].declare(name, kind)
    for combination in job.matrix:
        known.of[MATRIX].see(combination)
    if job.rows is not None:
        _see_job_rows(known, job.rows)
    elif job.inputs is not None and job.inputs.kind == DOCUMENTS:
        _declare_documents(known, job.inputs)
    elif job.inputs is not None:
        _see_table(known, job.inputs, job.output)
    if job.samples > 1:
        known.of[METADATA].declare("sample", Kind.INT)
    return known


def _schemas(job: JobFile) -> Iterator[Any]:
    """Yield the schemas of the job's response formats."""
    for params in (*(model.params for model in job.models), *(prompt.params for prompt in job.prompts)):
        if isinstance(params.get("response_format"), dict):
            yield schema_of(params["response_format"])


def _see_job_rows(known: KnownFields, rows: Path) -> None:
    for row in job_rows(rows):
        if isinstance(row, JobRow):
            known.see_metadata(row.metadata)


def _declare_documents(known: KnownFields, inputs: Inputs) -> None:
    for name in VARIABLES:
        known.of[INPUT].declare(name, Kind.TEXT)
    for name in (*inputs.keep, "path"):
        known.of[METADATA].declare(name, Kind.TEXT)
    for name in _CHUNK if inputs.split is not None else ():
        known.of[INPUT].declare(name, Kind.INT)
        known.of[METADATA].declare(name, Kind.INT)


def _see_table(known: KnownFields, inputs: Inputs, output: Path) -> None:
    for row in read_rows(inputs, output):
        if isinstance(row, Row):
            known.of[INPUT].see(row.variables)
            known.see_metadata(row.metadata)
