"""An export of any length needs a bounded amount of memory, besides the index of the output's lines."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batch.app.inspect.export import Exporter, ExportOptions
from batch.app.run.plan import open_source
from batch.app.setup.load_job import load_job
from batch.codec import encode_result
from tests.support.results_support import succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.jobfile.job import JobFile

PER_LINE = 150
"""Bytes. The index takes less than a hundred a line; a row of the table takes thousands."""

SLACK = 2**20


def make_job(folder: Path, rows: int, length: int) -> JobFile:
    """A job with so many rows, all of which are answered; each has a text of so many characters."""
    folder.mkdir()
    (folder / "job.yaml").write_text(
        "provider: openai\nbase_url: http://127.0.0.1:9/v1\nmodel: m\nprompt: '{{ text }}'\n"
        "inputs: {jsonl: rows.jsonl, keep: [title]}\n"
    )
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(rows):
            row = {"id": f"row-{number}", "text": f"{number} " + "x" * length, "title": f"title {number}"}
            file.write(json.dumps(row) + "\n")
    job = load_job(folder / "job.yaml")
    job.output.parent.mkdir()
    with job.output.open("wb") as output:
        for request in open_source(job).requests():
            result = succeeded(request.id, "y" * length, fingerprint=request.fingerprint)
            output.write(encode_result(replace(result, metadata=request.metadata, parsed={"n": 1})))
    return job


def peak_of_export(job: JobFile, form: str, *, of_job: bool) -> int:
    """The most memory, in bytes, that was allocated at one moment of an export of all columns."""
    columns = "all" if form in ("csv", "parquet") else None
    exporter = Exporter(form, ExportOptions(columns=columns))
    source = exporter.of_job(job) if of_job else exporter.of_output(job.output)
    tracemalloc.start()
    try:
        exporter.to_file(source, job.path.with_name(f"exported-{of_job}.{form}"))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("form", "of_job"), [("messages", True), ("csv", True), ("csv", False), ("openai-batch", False)]
)
def test_rows_that_are_written_need_no_memory(tmp_path: Path, form: str, of_job: bool) -> None:
    short, long = (make_job(tmp_path / str(rows), rows, 1000) for rows in (100, 2500))
    first = peak_of_export(short, form, of_job=of_job)
    assert peak_of_export(long, form, of_job=of_job) < first + 2500 * PER_LINE + SLACK


def test_parquet_holds_no_more_than_a_row_group_of_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch.results.export.parquet.ROW_GROUP_SIZE", 2**20)
    short, long = (make_job(tmp_path / str(rows), rows, 20_000) for rows in (20, 400))
    first = peak_of_export(short, "parquet", of_job=True)
    assert peak_of_export(long, "parquet", of_job=True) < first + 2 * 2**20 + SLACK
