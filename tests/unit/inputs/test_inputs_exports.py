"""Tables as other programs write them: each is read with a notice, or one error says what it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from batch.inputs import check
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "has a first column without a name, as pandas writes its index, which is left out"
NO_NAMES = "has columns without a name at the end, which are left out"
NO_TEXT = "has rows without any text, which are left out"
SEP = "has Excel's line `sep=` before the header, which is not a row"
TYPE = "has PowerShell's line `#TYPE` before the header, which is not a row"
ENDS = "has separators at the ends of rows, which are left out"
UTF16 = "is not UTF-8; it is read as UTF-16"
FLOATS = "has ids such as 1.0, which are read as whole numbers (1)"
AB = {"a": "<one>", "b": "<two>"}
ONE_A_LINE = "write one object a line: `jq -c . FILE > rows.jsonl`"


def _job(folder: Path, kind: str, data: str | bytes, more: str = "", prompt: str = "<{{ text }}>") -> Path:
    (folder / f"rows.{kind}").write_bytes(data if isinstance(data, bytes) else data.encode())
    return write(folder, HEAD + f"prompt: '{prompt}'\ninputs: {{{kind}: rows.{kind}{more}}}\n")


def _read(path: Path) -> tuple[dict[str, str], list[str]]:
    """The texts by id, and the notices without the file's path."""
    requests = source(path)
    texts = {name: request.messages[0]["content"] for name, request in by_id(requests).items()}
    return texts, [notice.partition(" ")[2] for notice in requests.notices]


CSV = [
    pytest.param(",id,text\n0,a,one\n1,b,two\n", [INDEX], id="pandas' index"),
    pytest.param(
        ",,id,text\n0,x,a,one\n0,y,b,two\n",
        ["has 2 first columns without a name, as pandas writes its index, which is left out"],
        id="an index of two levels",
    ),
    pytest.param('"",id,text\nx,a,one\ny,b,two\n', [INDEX], id="R's row names"),
    pytest.param("sep=;\nid;text\na;one\nb;two\n", [SEP], id="Excel's separator"),
    pytest.param('"sep=;"\r\nid;text\r\na;one\r\nb;two\r\n', [SEP], id="Excel's separator in quotes"),
    pytest.param("\ufeffsep=\t\r\nid\ttext\r\na\tone\r\nb\ttwo\r\n", [SEP], id="a tab as separator"),
    pytest.param("SEP=|\nid|text\na|one\nb|two\n", [SEP], id="a bar as separator"),
    pytest.param("sep=;\n\nid;text\na;one\nb;two\n".encode("utf-16"), [SEP], id="a separator in UTF-16"),
    pytest.param("id|text\na|one\nb|two\n", [], id="bars"),
    pytest.param("id,text,,\na,one,,\nb,two,,\n", [NO_NAMES], id="columns without a name at the end"),
    pytest.param("id,text,,\na,one\nb,two,\n", [NO_NAMES], id="shorter rows below those"),
    pytest.param(",id,text,\n0,a,one,\n1,b,two,\n", [NO_NAMES, INDEX], id="both"),
    pytest.param("id,text\na,one,\nb,two,,\n", [ENDS], id="separators at the ends of rows"),
    pytest.param("id,text\na,one\nb,two\n,\n,\n", [NO_TEXT], id="rows of separators at the end"),
    pytest.param("id,text\na,one\n,\nb,two\n", [NO_TEXT], id="a row of separators between rows"),
    pytest.param(",\n,\nid,text\na,one\nb,two\n", [NO_TEXT], id="rows of separators before the header"),
    pytest.param('#TYPE System.Object\r\n"id","text"\r\n"a","one"\r\n"b","two"\r\n', [TYPE], id="PowerShell"),
    pytest.param("id,text\ra,one\rb,two\r", [], id="lines that end in CR"),
    pytest.param("id,text\na,one\nb,two\n".encode("utf-16-le"), [UTF16], id="UTF-16 without its mark"),
    pytest.param("id,text\na,one\nb,two\n".encode("utf-16-be"), [UTF16], id="big-endian UTF-16"),
    pytest.param(b"\xfe\xff" + "id,text\na,one\nb,two\n".encode("utf-16-be"), [], id="its mark"),
]


@pytest.mark.parametrize(("table", "notices"), CSV)
def test_a_csv_file_of_another_program_is_read(
    table: str | bytes, notices: list[str], tmp_path: Path
) -> None:
    assert _read(_job(tmp_path, "csv", table)) == (AB, notices)


def test_rows_of_separators_stay_data_where_no_row_has_an_id(tmp_path: Path) -> None:
    texts, notices = _read(_job(tmp_path, "csv", "x,text\n1,one\n,\n2,two\n,\n"))
    assert (list(texts.values()), notices) == (["<one>", "<>", "<two>"], [NO_TEXT])


def test_the_letters_of_every_script_are_known_in_utf16(tmp_path: Path) -> None:
    table = "id,text\n" + "".join(f"{number},漢字かな交じり文\n" for number in range(40))
    for encoding in ("utf-16-le", "utf-16-be"):
        texts, notices = _read(_job(tmp_path, "csv", table.encode(encoding)))
        assert (set(texts.values()), notices) == ({"<漢字かな交じり文>"}, [UTF16])


ESCAPED = [
    (r'"say \"hi\" now"', 'say "hi" now'),
    (r'"\"hi\" he said"', '"hi" he said'),
    (r'"6\""', '6"'),
    (r'"\""', '"'),
    ('"two\nlines \\"q\\", x"', 'two\nlines "q", x'),
    ('"\\"first\\"\nsecond"', '"first"\nsecond'),
]


@pytest.mark.parametrize(("field", "text"), ESCAPED)
@pytest.mark.parametrize("after", ["", "c,three\n", 'c,"thr\\"ee"\n', 'c,"x, y"\n'])
def test_a_backslash_may_escape_a_quote(field: str, text: str, after: str, tmp_path: Path) -> None:
    texts, notices = _read(
        _job(tmp_path, "csv", f"id,text\nz,first\na,{field}\nb,two\n{after}", prompt="{{ text }}")
    )
    assert {name: texts[name] for name in ("z", "a", "b")} == {"z": "first", "a": text, "b": "two"}
    assert notices == ["has quotes that a backslash escapes, as Spark writes them"]


def test_a_backslash_is_text_where_quotes_are_written_twice(tmp_path: Path) -> None:
    table = 'id,text\na,"C:\\"\nb,"x\\""y"\nc,\\"\n'
    texts, notices = _read(_job(tmp_path, "csv", table, prompt="{{ text }}"))
    assert (texts, notices) == ({"a": "C:\\", "b": 'x\\"y', "c": '\\"'}, [])


def test_a_nul_is_reported(tmp_path: Path) -> None:
    texts, notices = _read(_job(tmp_path, "csv", "id,text\na,o\0ne\n"))
    assert (texts, notices) == ({"a": "<o\0ne>"}, ["has NUL characters, which stay in the texts"])


LINES = '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n'
JSONL = [
    pytest.param(LINES.encode("utf-16"), [UTF16], id="UTF-16"),
    pytest.param(LINES.replace("\n", "\r\n").encode("utf-16-le"), [UTF16], id="UTF-16 without its mark"),
    pytest.param(("\ufeff" + LINES).encode("utf-16-be"), [UTF16], id="big-endian UTF-16"),
    pytest.param(LINES.encode("utf-32"), ["is not UTF-8; it is read as UTF-32"], id="UTF-32"),
    pytest.param("\ufeff" + LINES, [], id="a mark of UTF-8"),
    pytest.param("\r\n" + LINES.replace("\n", "\r\n"), [], id="Windows' line ends"),
    pytest.param(LINES.replace("\n", "\r"), ["has CR line ends, which are accepted"], id="lone CRs"),
]


@pytest.mark.parametrize(("data", "notices"), JSONL)
def test_a_jsonl_file_of_another_program_is_read(
    data: str | bytes, notices: list[str], tmp_path: Path
) -> None:
    assert _read(_job(tmp_path, "jsonl", data)) == (AB, notices)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_long_lines_and_every_letter_survive_utf16(encoding: str, tmp_path: Path) -> None:
    text = "é漢😀\\n" * 50_000
    texts, _ = _read(_job(tmp_path, "jsonl", f'{{"id": "a", "text": "{text}"}}\n'.encode(encoding)))
    assert texts == {"a": "<" + "é漢😀\n" * 50_000 + ">"}


@pytest.mark.parametrize("field", ["id", "key"])
def test_whole_numbers_may_be_written_with_a_point(field: str, tmp_path: Path) -> None:
    rows = (
        f'{{"{field}": 1.0, "text": "x"}}\n{{"{field}": 2, "text": "y"}}\n{{"{field}": 3e0, "text": "z"}}\n'
    )
    more = "" if field == "id" else ", id_field: key"
    assert _read(_job(tmp_path, "jsonl", rows, more)) == ({"1": "<x>", "2": "<y>", "3": "<z>"}, [FLOATS])


def test_a_number_stays_what_it_is_for_the_prompt(tmp_path: Path) -> None:
    texts, _ = _read(_job(tmp_path, "jsonl", '{"id": 1.0, "text": 2.0}\n', prompt="{{ id }} {{ text }}"))
    assert texts == {"1": "1.0 2.0"}


def test_large_whole_numbers_are_exact_ids(tmp_path: Path) -> None:
    rows = "".join(f'{{"id": {number}, "text": "x"}}\n' for number in (2**53 + 1, 2**64 + 1, -(10**30)))
    assert list(_read(_job(tmp_path, "jsonl", rows))[0]) == [
        "9007199254740993",
        "18446744073709551617",
        "-1000000000000000000000000000000",
    ]


NOT_ROWS = [
    ("jsonl", '{"id": 1.5, "text": "x"}\n', "1:2: id: expected text or a whole number, got a number"),
    (
        "jsonl",
        '{"id": 1e22, "text": "x"}\n',
        "1:2: id: a number too large to be exact; write ids as text or as whole numbers",
    ),
    ("jsonl", '{"id": 1.0, "text": "x"}\n{"id": 1, "text": "y"}\n', "2:1: duplicate id 1"),
    ("jsonl", json.dumps([{"id": "a"}]), ":1:1: is one JSON array, not JSON Lines; write one object a line"),
    ("jsonl", json.dumps([{"id": "a"}, {"id": "b"}], indent=2), ":1:2: is one JSON array, not JSON Lines"),
    ("jsonl", "[" + LINES.replace("}\n", "},\n"), "is one JSON array, not JSON Lines"),
    (
        "jsonl",
        json.dumps({"id": "a", "text": "x"}, indent=2) + "\n" + json.dumps({"id": "b"}, indent=2),
        ":1:2: is JSON over several lines, not JSON Lines; " + ONE_A_LINE,
    ),
    ("jsonl", '{"id": "a",\n "text": "x"}\n{"id": "b",\n "text": "y"}\n', "is JSON over several lines"),
    ("jsonl", '{"id": "a", "text": "x", "score": NaN}\n' * 9, ":1:35: `NaN` is not JSON; write null, as"),
    ("jsonl", '{"id": "a", "text": "x", "score": -Infinity}\n' * 9, "`-Infinity` is not JSON; write null"),
    ("jsonl", LINES + '{"id": "c", "scores": [1, NaN]}\n' * 9, ":3:27: `NaN` is not JSON; write null"),
    ("jsonl", '{"id": "a", "text": "NaN: ", "x": nan}\n', "`nan` is not JSON"),
    (
        "jsonl",
        "{'id': 'a', 'text': \"it's\"}\n" * 9,
        "a Python dict as `print` shows it, not JSON; write it with",
    ),
    ("jsonl", "{'id': 'a', 'text': None}\n" * 9, "a Python dict as `print` shows it, not JSON"),
    ("jsonl", '{"id": "a", "ok": True}\n' * 9, "a Python dict as `print` shows it, not JSON"),
    ("jsonl", LINES.replace("}\n", "},\n") * 9, ":1:28: a comma after the object; JSON Lines has one object"),
    (
        "jsonl",
        '{"id": "a", "text": "x",}\n' * 9,
        "a comma before a closing bracket, which is not JSON; leave",
    ),
    ("jsonl", LINES.replace("\n", ""), ":1:28: several JSON values on one line; " + ONE_A_LINE),
    ("jsonl", "id,text\na,one\nb,two\n", ":1:1: is not JSON Lines; `inputs.csv` reads CSV"),
    ("jsonl", LINES.replace("two", "zwölf").encode("cp1252"), ":2:24: not UTF-8"),
    ("csv", LINES, "1:1: is JSON, not CSV; `inputs.jsonl` reads JSON Lines"),
    ("csv", json.dumps([{"id": "a"}], indent=1), "is JSON, not CSV"),
    (
        "csv",
        "id,text,\na,one,more\n",
        "2:1: column 3 has a value, and no name in the header; the header names",
    ),
    (
        "csv",
        "id,text\na,one,more\n",
        "expected 2 fields, as the header has, got 3; put quotes",
    ),
    ("csv", "id,,text\na,1,one\n", "1:1: column 2 has no name; the header names every column"),
    ("csv", "id,text,text\na,1,2\n", "1:1: column 3 has the name of column 2: text; give each a name"),
]


@pytest.mark.parametrize(("kind", "data", "said"), NOT_ROWS, ids=[case[2][:50] for case in NOT_ROWS])
def test_a_file_that_is_no_table_is_one_error(
    kind: str, data: str | bytes, said: str, tmp_path: Path
) -> None:
    found = diagnostics_of(lambda: check(source(_job(tmp_path, kind, data))))
    assert len(found) == 1
    assert found[0].startswith(f"rows.{kind}:")
    assert said in found[0]


def test_a_job_that_skips_bad_rows_reads_past_those_with_nan(tmp_path: Path) -> None:
    requests = source(_job(tmp_path, "jsonl", '{"id": "x", "n": NaN}\n' + LINES, ", on_bad_row: skip"))
    assert [request.id for request in requests.requests()] == ["rows.jsonl:1", "a", "b"]


FOREIGN = [
    (b"\x1f\x8b\x08\x00rest", "is compressed with gzip; unpack it first: `gunzip FILE`"),
    (b"\x28\xb5\x2f\xfd\x00", "is compressed with zstd; unpack it first: `unzstd FILE`"),
    (b"BZh91AY&SY\x00", "is compressed with bzip2; unpack it first: `bunzip2 FILE`"),
    (b"\xfd7zXZ\x00\x00", "is compressed with xz; unpack it first: `unxz FILE`"),
    (b"PK\x03\x04\x14\x00[Content_Types].xml", "is an Excel or Office file; save the sheet as CSV UTF-8"),
    (b"PK\x03\x04\x14\x00rows.csv", "is a zip archive; unpack it first: `unzip FILE`"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel or Office file; save the sheet as CSV UTF-8"),
    (b"ARROW1\x00\x00", "is an Arrow (Feather) file; save it as CSV, JSON Lines or Parquet"),
    (b"ORC\x00\x01", "is an ORC file; save it as CSV, JSON Lines or Parquet"),
    (b"SQLite format 3\x00", "is an SQLite database; export the table as CSV"),
    (b"12345678DUCK\x00", "is a DuckDB database; export the table"),
    (b"\x80\x04\x95\x00", "is a Python pickle; save it as CSV, JSON Lines or Parquet"),
    (b"%PDF-1.7\n", "is a PDF document; `inputs.files` reads documents"),
    (
        b"version https://git-lfs.github.com/spec/v1\n",
        "is a pointer of Git LFS, not the file itself; run `git",
    ),
    (b"<!DOCTYPE html>\n<html>", "is an HTML page, perhaps that of an error or a login; download the file"),
]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("head", "said"), FOREIGN, ids=[case[1][:40] for case in FOREIGN])
def test_a_file_of_another_kind_is_named(kind: str, head: bytes, said: str, tmp_path: Path) -> None:
    (found,) = diagnostics_of(lambda: check(source(_job(tmp_path, kind, head))))
    assert found.startswith(f"rows.{kind}: {said}")


@pytest.mark.parametrize("header", ["ORC,id,text", "BZh,id,text", "PAR1,id,text", "ARROW1,id,text"])
def test_a_header_may_begin_like_another_kind_of_file(header: str, tmp_path: Path) -> None:
    assert _read(_job(tmp_path, "csv", f"{header}\nx,a,one\ny,b,two\n")) == (AB, [])
