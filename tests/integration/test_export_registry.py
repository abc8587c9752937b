"""The registry of export formats: one module and one line add a format; an unknown name is an error."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batch.app.inspect.export import Exporter, ExportOptions
from batch.codec import encode_result
from batch.errors import UsageError
from batch.results.export import registry
from batch.results.export.registry import format_of, names
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from batch.records import Result

ASKED = ({"role": "user", "content": "Name a river."},)


@pytest.fixture
def tsv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODULES, "tsv", "tests.support.tsv_export")


def with_messages(result: Result) -> bytes:
    return encode_result(replace(result, messages=ASKED))


def test_each_format_is_registered_by_its_own_name() -> None:
    assert [format_of(name).NAME for name in names()] == names()


@pytest.mark.parametrize("name", ["xml", "", "CSV", "csv ", "batch.results.export.csv"])
def test_no_format_stands_in_for_one_that_is_unknown(name: str) -> None:
    there = "known: messages, sharegpt, completion, csv, parquet, openai-batch"
    with pytest.raises(UsageError) as caught:
        format_of(name)
    assert str(caught.value) == f"unknown export format {name!r}; {there}"
    with pytest.raises(UsageError):
        Exporter(name)


def test_formats_are_imported_when_they_are_named() -> None:
    script = (
        "import sys\n"
        "from batch.results.export.registry import MODULES, format_of, names\n"
        "names()\n"
        "print(sorted(set(MODULES.values()) & set(sys.modules)))\n"
        "format_of('csv')\n"
        "print(sorted(set(MODULES.values()) & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n['batch.results.export.csv']\n"


def test_another_format_exports_results(tsv: None, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    lines = [succeeded("a", "The Elbe."), succeeded("b", "a\ttab"), succeeded("c", "The Spree."), failed("d")]
    output.write_bytes(b"".join(map(with_messages, lines)))
    exporter = Exporter("tsv", ExportOptions(keep_failed=True))
    exporter.to_file(exporter.of_output(output), tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text() == (
        "a\tName a river.\tThe Elbe.\nc\tName a river.\tThe Spree.\n# 2\n"
    )
    assert exporter.exported.written == 2
    assert dict(exporter.exported.left_out) == {"failed": 1, "of more or less than text": 1}


def test_what_it_needs_and_an_output_lacks_is_an_error(tsv: None, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_bytes(encode_result(succeeded("a", "The Elbe.")))
    exporter = Exporter("tsv")
    with pytest.raises(UsageError, match=r"include: \[messages\]"):
        exporter.to_file(exporter.of_output(output), tmp_path / "out.tsv")
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
