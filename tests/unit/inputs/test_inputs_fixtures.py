"""The same thousand rows from files that other programs have written (``make_input_fixtures``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.input_fixture_rows import fixture_rows
from tests.support.inputs_support import source
from tests.support.jobfile_support import HEAD, write

FOLDER = Path(__file__).parents[2] / "fixtures" / "inputs"
INDEX = "has a first column without a name, as pandas writes its index, which is left out"
FILES = [
    ("csv", "pandas.csv", [INDEX]),
    ("jsonl", "pandas.jsonl", []),
    ("parquet", "pandas.parquet", []),
    ("csv", "libreoffice.csv", []),
    (
        "csv",
        "excel.csv",
        [
            "has Excel's line `sep=` before the header, which is not a row",
            "has columns without a name at the end, which are left out",
            "has rows without any text, which are left out",
        ],
    ),
    ("csv", "spark", ["has quotes that a backslash escapes, as Spark writes them"]),
    ("csv", "powershell.csv", ["has PowerShell's line `#TYPE` before the header, which is not a row"]),
    ("jsonl", "powershell.jsonl", ["is not UTF-8; it is read as UTF-16"]),
    ("csv", "duckdb.csv", []),
    ("jsonl", "duckdb.json", []),
    ("parquet", "duckdb.parquet", []),
]


@pytest.mark.parametrize(("kind", "name", "notices"), FILES, ids=[case[1] for case in FILES])
def test_every_program_gives_the_same_ids_and_texts(
    kind: str, name: str, notices: list[str], tmp_path: Path
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    (tmp_path / name).symlink_to(FOLDER / name)
    path = write(tmp_path, HEAD + f"prompt: '[{{{{ text }}}}]'\ninputs: {{{kind}: {name}}}\n")
    requests = source(path, allow=[FOLDER])
    read = [(request.id, request.messages[0]["content"]) for request in requests.requests()]
    assert read == [(row_id, f"[{text}]") for row_id, text in fixture_rows()]
    said = [notice.partition(" ")[2].partition("; so it is")[0] for notice in requests.notices]
    assert said == notices


def _first(kind: str, name: str, prompt: str, tmp_path: Path) -> str:
    (tmp_path / name).symlink_to(FOLDER / name)
    path = write(tmp_path, HEAD + f'prompt: "{prompt}"\ninputs: {{{kind}: {name}}}\n')
    request = next(iter(source(path, allow=[FOLDER]).requests()))
    content: str = request.messages[0]["content"]
    return content


def test_the_types_of_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    prompt = "{{ at }} {{ kind }} {{ took }} {{ score or 0 }} {{ __index_level_0__ | default(7) }}"
    printed = "2026-11-22T17:00:00.123456789 even 0:00:01.500000 0 7"
    assert _first("parquet", "pandas.parquet", prompt, tmp_path) == printed


def test_the_types_of_duckdb(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    prompt = "{{ span }} {{ at }} {{ far }} {{ price }} {{ kind }} {{ uuid }} {{ map }} {{ nested }}"
    printed = (
        "P14M3DT4.500S 2026-11-22T17:00:00.123456789 +12026-01-01 1.50 a "
        "12341234-1234-1234-1234-123412341234 [('k', 1)] {'a': ['1999-01-02']}"
    )
    assert _first("parquet", "duckdb.parquet", prompt, tmp_path) == printed
