"""``inputs.csv``: columns, quotes, line numbers, encodings, and everything that a table can have wrong."""

from __future__ import annotations

import csv
import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.files import MAX_BYTES
from batch.inputs import check
from batch.inputs.readers.csv_records import CsvRecords
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path


def _job(folder: Path, table: str | bytes, more: str = "", prompt: str = "{{ word }}") -> Path:
    data = table if isinstance(table, bytes) else table.encode()
    (folder / "rows.csv").write_bytes(data)
    return write(folder, HEAD + f"prompt: '{prompt}'\ninputs: {{csv: rows.csv{more}}}\n")


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("id,word\na,one\nb,two\n", id="plain"),
        pytest.param("id,word\r\na,one\r\nb,two", id="the last line without its end"),
        pytest.param("\n\nid,word\n\na,one\n\n\nb,two\n\n", id="blank lines"),
        pytest.param(" id , word \na,one\nb,two\n", id="spaces around the names"),
        pytest.param('"id","word"\n"a","one"\n"b","two"\n', id="everything in quotes"),
        pytest.param("id;word\na;one\nb;two\n", id="semicolons"),
        pytest.param("id\tword\na\tone\nb\ttwo\n", id="tabs"),
        pytest.param("\ufeffid,word\na,one\nb,two\n", id="a byte order mark"),
        pytest.param("id,word\na,one\nb,two\n".encode("utf-16"), id="UTF-16"),
        pytest.param("word,id\none,a\ntwo,b\n", id="another order"),
    ],
)
def test_columns_become_variables(table: str | bytes, tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, table)) == {"a": "one", "b": "two"}


def test_all_values_are_text_and_keep_their_spaces(tmp_path: Path) -> None:
    table = 'id,word\n1, 007 \n2,"a, ""b""\r\nc"\n3,\n'
    texts = {"1": "[ 007 ]", "2": '[a, "b"\r\nc]', "3": "[]"}
    assert _texts(_job(tmp_path, table, prompt="[{{ word }}]")) == texts


def test_a_column_holds_the_id(tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, "key,word\nk,one\n", ", id_field: key")) == {"k": "one"}


def test_a_field_may_be_longer_than_the_standard_library_likes(tmp_path: Path) -> None:
    assert _texts(_job(tmp_path, f"id,word\na,{'x' * 300_000}\n")) == {"a": "x" * 300_000}


def test_another_encoding_is_reported(tmp_path: Path) -> None:
    requests = source(_job(tmp_path, "id,word\na,café\n".encode("cp1252")))
    assert [request.messages[0]["content"] for request in requests.requests()] == ["café"]
    assert requests.notices == [f"{tmp_path}/rows.csv is not UTF-8; it is read as Windows-1252"]


def test_every_bad_row_is_named_with_the_line_where_it_begins(tmp_path: Path) -> None:
    quotes = "put quotes around a field that contains the separator"
    table = """\
key,word
a,"one
more"
b
c,three,3

"d"x,four
,five
a,"six"
"""
    assert diagnostics_of(lambda: check(source(_job(tmp_path, table, ", id_field: key")))) == [
        "rows.csv:4:1: expected 2 fields, as the header has, got 1",
        "rows.csv:5:1: expected 2 fields, as the header has, got 3; " + quotes,
        "rows.csv:7:1: text after a closing quote; inside quotes a quote is duplicate key",
        "rows.csv:8:1: key: must not be empty",
        "rows.csv:9:1: duplicate id a; the first is on line 2; ids must be unique",
    ]


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("", "rows.csv: has no rows; the first line is the header, which names the columns"),
        ("id,word\n", "rows.csv: has no rows; the first line is the header, which names the columns"),
        ("id,,word\n1,2,3\n", "rows.csv:1:1: column 2 has no name; the header names every column"),
        (
            "\nword,id,word\n1,2,3\n",
            "rows.csv:2:1: column 3 has the name of column 1: word; give each a name of its own",
        ),
        (
            'id,"wo"rd\n1,2\n',
            "rows.csv:1:1: in the header: text after a closing quote; inside quotes a quote is duplicate key",
        ),
        ('id,word\na,b\nc,"d\ne,f\n', "rows.csv:3:1: a quote that is opened and never closed"),
        (
            b"id,word\n\x00\xff,x\n",
            "rows.csv: not text in a known encoding; save the file as UTF-8",
        ),
        ("name,word\na,b\n", "5:35: inputs.id_field: no column `id` in rows.csv; the columns are name, word"),
        ("," * 1_000_000, "rows.csv:1:1: more than 10000 columns; is the first line the header?"),
    ],
)
def test_what_spoils_a_table(table: str | bytes, what: str, tmp_path: Path) -> None:
    more = ", id_field: id" if "id_field" in what else ""
    assert diagnostics_of(lambda: check(source(_job(tmp_path, table, more)))) == [what]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = _job(tmp_path, "")
    (tmp_path / "rows.csv").unlink()
    assert diagnostics_of(lambda: check(source(path))) == ["5:15: inputs.csv: rows.csv: no such file"]


def test_the_separator_of_a_long_header_is_detected_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"' + "a" * 2_000_000 + '"\tid\n1\tx\n', encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        tracemalloc.start()
        CsvRecords(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("opening", ["", '"'])
def test_a_row_without_an_end_is_an_error(opening: str, tmp_path: Path) -> None:
    lines = ("x" * 1023 + ("\n" if opening else "x")) * (MAX_BYTES // 1024 + 1)
    assert diagnostics_of(lambda: check(source(_job(tmp_path, f"id,word\na,{opening}{lines}")))) == [
        "rows.csv:2:1: a row larger than 16 MiB; is a quote missing?"
    ]


_FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@given(st.lists(st.lists(_FIELD, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_the_standard_library_writes_is_read_back(rows: list[list[str]], separator: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    text = file.getvalue()
    records = list(CsvRecords(io.StringIO(text, newline="")))
    assert [fields for _, fields in records] == [["a", "b"], *rows]
    starts = [io.StringIO(text, newline="").readlines()[line - 1] for line, _ in records]
    assert all(start.startswith('"') for start in starts)
