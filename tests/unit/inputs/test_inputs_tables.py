"""Several files of rows: lists, patterns, exclusions, part files of Spark and DuckDB, and kept columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batch.app.inspect.export_sources import sources
from batch.app.run.several_jobs import written_by
from batch.inputs import check
from batch.jobfile import load
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

A, B = "id,text\na,one\n", "text,id\ntwo,b\n"


def _job(folder: Path, files: dict[str, str], inputs: str, prompt: str = "<{{ text }}>") -> Path:
    for name, content in files.items():
        write(folder, content, name)
    return write(folder, HEAD + f"prompt: '{prompt}'\ninputs: {{{inputs}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


def _rows(kind: str, name: str) -> str:
    """One row with the id and the text ``name``."""
    return f"id,text\n{name},{name}\n" if kind == "csv" else f'{{"id": "{name}", "text": "{name}"}}\n'


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("d/b.E", ["b"]),
        ("'d/*.E'", ["a", "b"]),
        ("['d/b.E', 'd/a.E']", ["b", "a"]),
        ("['d/*.E', 'e/x.E']", ["a", "b", "x"]),
        ("['d/*.E', 'd/a.E']", ["a", "b"]),
        ("['**/*.E', '!d/b.E']", ["a", "c", "x"]),
        ("['!d', '**/*.E']", ["x"]),
        ("['**/*.E', '!**/*[bx].E']", ["a", "c"]),
        ("d", ["a", "b", "c"]),
        ("d/", ["a", "b", "c"]),
        ("['d', '!d/sub/**']", ["a", "b"]),
        ("'[de]'", ["a", "b", "c", "x"]),
    ],
)
def test_files_are_named_in_lists_patterns_and_folders(
    kind: str, written: str, ids: list[str], tmp_path: Path
) -> None:
    names = {"d/a": "a", "d/b": "b", "d/sub/c": "c", "e/x": "x", "d/.hidden": "h"}
    files = {f"{path}.{kind}": _rows(kind, name) for path, name in names.items()}
    path = _job(tmp_path, files, f"{kind}: {written.replace('E', kind)}")
    assert _texts(path) == {name: f"<{name}>" for name in ids}
    assert [request.id for request in source(path).requests()] == ids


def test_each_file_has_columns_of_its_own(tmp_path: Path) -> None:
    path = _job(tmp_path, {"a.csv": A, "b.csv": B, "c.csv": "id;text;more\nc;three;x\n"}, "csv: '*.csv'")
    assert _texts(path) == {"a": "<one>", "b": "<two>", "c": "<three>"}


def test_one_file_gives_the_ids_that_a_list_of_it_gives(tmp_path: Path) -> None:
    rows = "text\none\none\ntwo\n"
    first = list(_texts(_job(tmp_path, {"a.csv": rows}, "csv: a.csv")))
    assert first == list(_texts(_job(tmp_path, {}, "csv: [a.csv]")))
    assert first == list(_texts(_job(tmp_path, {}, "csv: '*.csv'")))


def test_a_name_may_look_like_a_pattern(tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, {"rows[1].csv": A}, "csv: 'rows[1].csv'")) == {"a": "<one>"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'z*.csv'", "5:15: inputs.csv[0]: no file matches; patterns are relative to the job file"),
        (
            "[a.csv, 'z/*.csv']",
            "5:23: inputs.csv[1]: no file matches; patterns are relative to the job file",
        ),
        ("[a.csv, none.csv]", "5:23: inputs.csv[1]: no file matches; patterns are relative to the job file"),
        ("['!a.csv']", "5:15: inputs.csv: nothing to read; write a pattern without `!`, too"),
        ("['e*.csv', 'f.csv']", "5:16: inputs.csv: the files have no rows"),
        ("'../*.csv'", "is outside"),
        ("['a.csv', 'a**/b']", "`**` must be a path component"),
    ],
)
def test_what_matches_nothing_is_named_with_its_place(written: str, said: str, tmp_path: Path) -> None:
    path = _job(tmp_path, {"a.csv": A, "empty.csv": "id,text\n", "f.csv": ""}, f"csv: {written}")
    found = diagnostics_of(lambda: check(source(path)))
    assert len(found) == 1
    assert said in found[0]


def test_files_outside_are_named(tmp_path: Path) -> None:
    write(tmp_path, A, "outside.csv")
    write(tmp_path, A, "more/a.csv")
    root = tmp_path / "root"
    path = _job(root, {"b.csv": B}, "csv: ['*.csv', '*/*.csv']")
    (root / "link.csv").symlink_to("../outside.csv")
    (root / "folder").symlink_to("../more")
    assert sorted(diagnostics_of(lambda: check(source(path)))) == [
        "folder: inputs.csv[1]: is outside the job's root; `--allow-path` allows another folder",
        "link.csv: inputs.csv[0]: is outside the job's root; `--allow-path` allows another folder",
    ]


def test_two_rows_of_two_files_with_one_id_are_named(tmp_path: Path) -> None:
    path = _job(tmp_path, {"a.csv": A, "b.csv": A}, "csv: '*.csv'")
    (said,) = diagnostics_of(lambda: check(source(path)))
    assert said.startswith("b.csv:2:1: duplicate id a; the first is in ")


def test_the_output_is_no_input(tmp_path: Path) -> None:
    files = {"output/job.jsonl": "{}\n", "output/job.jsonl.log": "", "output/x.jsonl": _rows("jsonl", "x")}
    assert list(_texts(_job(tmp_path, files, "jsonl: 'output/*'"))) == ["x"]


SPARK = {
    "out/part-00000-c000.csv": A,
    "out/part-00001-c000.csv": "id,text\nb,two\n",
    "out/part-00002-c000.csv": "",
    "out/_SUCCESS": "",
    "out/._SUCCESS.crc": "crc",
    "out/.part-00000-c000.csv.crc": "crc",
    "out/_committed_4711": '{"added": []}',
}


@pytest.mark.parametrize("written", ["out", "out/*", "out/**", "out/*.csv", "'ou?'"])
def test_the_part_files_of_spark_are_one_table(written: str, tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, SPARK, f"csv: {written}")) == {"a": "<one>", "b": "<two>"}


@pytest.mark.parametrize("written", ["out", "out/*/*.csv", "out/**/*.csv", "out/*/*/*.csv"])
def test_the_names_of_folders_are_columns(written: str, tmp_path: Path) -> None:
    depth = "/day=1%2F2" if written != "out/*/*.csv" else ""
    files = {f"out/year=2024{depth}/p.csv": A, f"out/year=__HIVE_DEFAULT_PARTITION__{depth}/p.csv": B}
    path = _job(tmp_path, files, f"csv: {written}", prompt="{{ year }} {{ text }} {{ day | default(1) }}")
    day = "1/2" if depth else "1"
    assert _texts(path) == {"a": f"2024 one {day}", "b": f" two {day}"}


def test_jobs_in_a_row_know_what_a_later_one_reads(tmp_path: Path) -> None:
    first = load(_job(tmp_path, {"a.csv": A}, "csv: a.csv"))
    for written, expected in {
        "output/*.jsonl": first,
        "'**/*.jsonl'": first,
        "output": first,
        "['output/*', '!output/job.jsonl']": None,
        "[x/*.jsonl]": None,
    }.items():
        text = HEAD + f"name: second\nprompt: '{{{{ text }}}}'\ninputs: {{jsonl: {written}}}\n"
        (tmp_path / "output").mkdir(exist_ok=True)
        assert written_by(load(write(tmp_path, text, "second.yaml")), [first]) is expected


def test_an_export_replaces_none_of_the_files_that_are_read(tmp_path: Path) -> None:
    job = load(_job(tmp_path, {"a.csv": A, "b.csv": B}, "csv: '*.csv'"))
    assert [path.name for path in sources(job)] == ["job.yaml", "job.jsonl", "a.csv", "b.csv"]


# Kept columns.


def _metadata(path: Path) -> dict[str, Any]:
    return {name: request.metadata for name, request in by_id(source(path)).items()}


def test_kept_columns_are_copied_to_the_metadata(tmp_path: Path) -> None:
    rows = '{"id": "a", "text": "x", "n": 1.5, "tags": ["p", null]}\n{"id": "b", "text": "y", "n": null}\n'
    path = _job(tmp_path, {"r.jsonl": rows}, "jsonl: r.jsonl, keep: [n, tags]")
    assert _metadata(path) == {"a": {"n": 1.5, "tags": ["p", None]}, "b": {"n": None}}


def test_kept_columns_change_no_id_and_no_fingerprint(tmp_path: Path) -> None:
    names = [
        [(request.id, request.fingerprint) for request in source(path).requests()]
        for path in (
            _job(tmp_path, {"a.csv": "text,n\nx,1\n"}, "csv: a.csv"),
            _job(tmp_path, {}, "csv: a.csv, keep: n"),
        )
    ]
    assert names[0] == names[1]


def test_chunks_and_documents_keep_columns_beside_their_own_metadata(tmp_path: Path) -> None:
    path = _job(
        tmp_path, {"a.csv": "id,path,text\na,p,x\n"}, "csv: a.csv, keep: [path, id], split: {tokens: 10}"
    )
    assert _metadata(path) == {"a/1": {"path": "p", "id": "a", "row": "a", "chunk": 1, "chunks": 1}}
    path = _job(tmp_path, {"d/x.txt": "x"}, "files: d/*.txt, keep: [stem, path]")
    assert _metadata(path) == {"x.txt": {"stem": "x", "path": "d/x.txt"}}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("csv: a.csv, keep: [txt]", "5:28: inputs.keep: no row has the column `txt`; did you mean `text`?"),
        ("csv: a.csv, keep: zz", "5:28: inputs.keep: no row has the column `zz`; the columns are id, text"),
    ],
)
def test_a_column_that_no_row_has_cannot_be_kept(inputs: str, said: str, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: check(source(_job(tmp_path, {"a.csv": A}, inputs)))) == [said]
