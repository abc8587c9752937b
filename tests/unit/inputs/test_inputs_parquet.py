"""``inputs.parquet``: columns with their types, in batches, and what is no Parquet file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from batch.inputs import check
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
parquet = pytest.importorskip("pyarrow.parquet")


def _job(folder: Path, columns: dict[str, list[Any]], more: str = "", prompt: str = "{{ word }}") -> Path:
    parquet.write_table(pyarrow.table(columns), folder / "rows.parquet", row_group_size=1000)
    return write(folder, HEAD + f"prompt: '{prompt}'\ninputs: {{parquet: rows.parquet{more}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def test_columns_become_variables_with_their_types(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "id": [1, 2],
        "score": [0.5, None],
        "tags": [["a", "b"], []],
        "at": [datetime(2026, 11, 22, 17, tzinfo=UTC)] * 2,
    }
    prompt = '{{ score or "none" }} {{ tags | join(",") }} {{ at }}'
    assert _texts(_job(tmp_path, columns, prompt=prompt)) == {
        "1": "0.5 a,b 2026-11-22T17:00:00+00:00",
        "2": "none  2026-11-22T17:00:00+00:00",
    }


def test_dates_and_times_inside_others_become_text_too(tmp_path: Path) -> None:
    at = datetime(2026, 11, 22, 17, tzinfo=UTC)
    columns: dict[str, list[Any]] = {"id": [1], "event": [{"at": at, "days": [at.date()]}]}
    prompt = "{{ event | tojson }}"
    assert _texts(_job(tmp_path, columns, prompt=prompt)) == {
        "1": '{"at": "2026-11-22T17:00:00+00:00", "days": ["2026-11-22"]}'
    }


def test_a_table_of_several_batches_and_row_groups_is_read_whole(tmp_path: Path) -> None:
    names = [f"row-{number}" for number in range(2500)]
    assert _texts(_job(tmp_path, {"id": names, "word": names})) == dict(zip(names, names, strict=True))


def test_a_bad_row_is_named_by_its_number(tmp_path: Path) -> None:
    path = _job(tmp_path, {"key": ["a", "", None], "word": ["x"] * 3}, ", id_field: key")
    assert diagnostics_of(lambda: check(source(path))) == [
        "rows.parquet:2:1: key: must not be empty",
        "rows.parquet:3:1: key: is missing",
    ]


def test_bytes_are_no_id(tmp_path: Path) -> None:
    path = _job(tmp_path, {"id": [b"\xff"], "word": ["x"]})
    assert diagnostics_of(lambda: check(source(path))) == [
        "rows.parquet:1:1: id: expected text or a whole number, got bytes"
    ]


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    path = _job(tmp_path, {"word": ["x"]})
    (tmp_path / "rows.parquet").write_bytes(b"id,word\na,b\n")
    said = diagnostics_of(lambda: check(source(path)))
    assert said == ["rows.parquet: not a Parquet file; `inputs.csv` reads CSV"]
    (tmp_path / "rows.parquet").unlink()
    assert diagnostics_of(lambda: check(source(path))) == ["5:19: inputs.parquet: rows.parquet: no such file"]


def test_an_empty_table_is_an_error(tmp_path: Path) -> None:
    assert diagnostics_of(lambda: check(source(_job(tmp_path, {"word": []})))) == [
        "rows.parquet: has no rows"
    ]


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _job(tmp_path, {"word": ["x"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert diagnostics_of(lambda: check(source(path))) == [
        "rows.parquet: Parquet needs pyarrow, which is not installed; pip install 'promptjobs[parquet]'"
    ]
