"""The registry of readers: one module and one line add a format of rows; an unknown name is an error."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batch.app.run.execute import execute
from batch.app.run.options import RunOptions
from batch.app.setup.environment import Environment
from batch.diagnostics import Place
from batch.errors import Diagnostic, UsageError
from batch.inputs.readers import csv, jsonl, registry
from batch.inputs.readers.all_rows import read_rows
from batch.inputs.readers.registry import names, reader_of
from batch.inputs.readers.row import Row
from batch.jobfile import load_mapping
from batch.jobfile.job import Inputs
from batch.jobfile.schema.inputs_spec import ROW_KEYS
from batch.results.reader import ResultReader
from batch.results.reclassification import WITHOUT_JOB
from batch.testing import FaultServer, answer
from batch.testing.readers import ReaderConformance
from tests.support import pipe_reader

if TYPE_CHECKING:
    from pathlib import Path

    from batch.testing import Received, Script


class TestCsv(ReaderConformance):
    reader = csv
    data = b"id,word\na,tree\nb,river\n"
    expected = (("a", {"id": "a", "word": "tree"}), ("b", {"id": "b", "word": "river"}))


class TestJsonLines(ReaderConformance):
    reader = jsonl
    data = b'{"id": "a", "word": "tree"}\n{"word": "river"}\n'
    expected = (("a", {"id": "a", "word": "tree"}), (None, {"word": "river"}))


class TestPiped(ReaderConformance):
    reader = pipe_reader
    data = b"id|word\na|tree\nb|river\n"
    expected = (("a", {"id": "a", "word": "tree"}), ("b", {"id": "b", "word": "river"}))


# The registry


def test_each_reader_is_registered_by_its_own_name() -> None:
    assert names() == ["csv", "jsonl", "parquet", "results"]
    assert [reader_of(name).NAME for name in names()] == names()


def test_each_key_of_rows_in_a_job_file_has_a_reader() -> None:
    assert list(ROW_KEYS) == names()


@pytest.mark.parametrize("name", ["tsv", "", "CSV", "files", "batch.inputs.readers.csv"])
def test_no_reader_stands_in_for_one_that_is_unknown(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        reader_of(name)
    assert str(caught.value) == f"unknown reader {name!r}; known: csv, jsonl, parquet, results"


def test_readers_are_imported_when_they_are_named() -> None:
    script = (
        "import sys\n"
        "from batch.inputs.readers import all_rows, registry\n"
        "print(sorted(set(registry.MODULES.values()) & set(sys.modules)))\n"
        "registry.reader_of('csv')\n"
        "print(sorted(set(registry.MODULES.values()) & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n['batch.inputs.readers.csv']\n"


# Another reader: one module, one line


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "piped", "tests.support.pipe_reader")


def test_another_reader_reads_a_folder_in_partitions(piped: None, tmp_path: Path) -> None:
    for year, word in ((2025, "tree"), (2026, "river")):
        (tmp_path / f"rows/year={year}").mkdir(parents=True)
        (tmp_path / f"rows/year={year}/part.piped").write_text(f"id|word\n{year}|{word}\n")
    (tmp_path / "rows/notes.txt").write_text("none of the rows")
    (tmp_path / "rows/empty.piped").write_text("id|word\n")
    inputs = Inputs(tmp_path, (tmp_path,), kind="piped", tables=("rows",), places=(Place("job"),))
    rows = [(row.id, row.variables) for row in read_rows(inputs, tmp_path / "o") if isinstance(row, Row)]
    assert rows == [
        ("2025", {"year": "2025", "id": "2025", "word": "tree"}),
        ("2026", {"year": "2026", "id": "2026", "word": "river"}),
    ]


def test_a_column_that_its_header_lacks_is_an_error_at_the_first_row(piped: None, tmp_path: Path) -> None:
    (tmp_path / "a.piped").write_text("id|word\na|tree\nb\n")
    inputs = Inputs(tmp_path, (tmp_path,), kind="piped", table=tmp_path / "a.piped", keep=("wort",))
    (found,) = read_rows(inputs, tmp_path / "o")
    assert isinstance(found, Diagnostic)
    assert (found.where, found.what) == ("inputs.keep", "no row has the column `wort`")


@pytest.mark.anyio
async def test_another_reader_feeds_a_run(piped: None, tmp_path: Path) -> None:
    """The job is what a job file with the key ``piped`` would be."""
    (tmp_path / "a.piped").write_text("id|word\na|tree\nb\nc|river\n")

    def script(request: Received) -> Script:
        return answer(request.json["messages"][0]["content"].upper())

    async with FaultServer(script) as server:
        written = {"provider": "openai", "base_url": server.url, "model": "m", "prompt": "say {{ word }}"}
        job = load_mapping({**written, "inputs": {"csv": "a.piped", "on_bad_row": "skip"}}, tmp_path)
        assert job.inputs is not None
        job = replace(job, inputs=replace(job.inputs, kind="piped"))
        summary = await execute(job, Environment.current(), (), RunOptions())
    assert (summary.succeeded, summary.failed, summary.pending) == (2, 1, 0)
    with ResultReader(job.output, WITHOUT_JOB) as lines:
        found = {
            result.id: result.text or str(result.error and result.error.message) for result in lines.results()
        }
    assert found["a"] == "SAY TREE"
    assert found["c"] == "SAY RIVER"
    assert "has 1 of 2 values" in next(text for name, text in found.items() if name not in "ac")


# The suite finds what is wrong


class _Broken:
    """The piped reader with one member replaced."""

    def __init__(self, **replaced: object) -> None:
        self.__dict__ |= {**vars(pipe_reader), **replaced}


def _no_rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> list[Row]:
    return []


def _raising(path: Path, inputs: Inputs, *, may_be_empty: bool) -> list[Row]:
    return [Row(line, {}, {}, str(path), 1) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    ("check", "replaced", "error"),
    [
        ("test_rows_have_their_ids_and_variables", {"rows": _no_rows}, AssertionError),
        ("test_no_file_is_an_error_and_no_exception", {"rows": _no_rows}, AssertionError),
        ("test_no_file_is_an_error_and_no_exception", {"rows": _raising}, FileNotFoundError),
        ("test_hostile_bytes_raise_nothing", {"rows": _raising}, UnicodeDecodeError),
    ],
)
def test_a_reader_that_breaks_a_rule_is_told(
    check: str, replaced: dict[str, object], error: type[Exception], tmp_path: Path
) -> None:
    suite = TestPiped()
    suite.__dict__["reader"] = _Broken(**replaced)
    with pytest.raises(error):
        getattr(suite, check)(tmp_path)


@pytest.mark.parametrize("replaced", [{"NAME": "a b"}, {"ENDINGS": ()}, {"ENDINGS": ("piped",)}], ids=str)
def test_a_name_that_no_job_file_can_have_is_told(replaced: dict[str, object]) -> None:
    suite = TestPiped()
    suite.__dict__["reader"] = _Broken(**replaced)
    with pytest.raises(AssertionError):
        suite.test_names()
