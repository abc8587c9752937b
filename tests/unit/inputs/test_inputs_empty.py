"""``on_empty``: blank documents and prompts, and null and NaN where a prompt prints them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from batch.inputs import check
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

SKIPPED = "has rows that leave the prompt empty, which are skipped (`on_empty: skip`)"


def _job(folder: Path, rows: list[dict[str, Any]], prompt: str, on_empty: str = "error") -> Path:
    write(folder, "".join(json.dumps(row) + "\n" for row in rows), "rows.jsonl")
    lines = f"prompt: {json.dumps(prompt)}\ninputs: {{jsonl: rows.jsonl, on_empty: {on_empty}}}\n"
    return write(folder, HEAD + lines)


def _texts(path: Path) -> dict[str, str]:
    return {name: request.messages[0]["content"] for name, request in by_id(source(path)).items()}


PRINTS = [
    ("{{ x }}", ""),
    ("{{ x | upper }}", ""),
    ("{{ x | trim }}", ""),
    ("{{ x | string | length }}", "0"),
    ("{{ x | replace('a', 'b') }}", ""),
    ("{{ x | title | indent }}", ""),
    ("{{ x ~ '!' }}", "!"),
    ("{{ '(' ~ (x) ~ ')' }}", "()"),
    ("{{ [1, x, 2] | join('-') }}", "1--2"),
    ("{{ [{'y': x}] | join('-', attribute='y') }}", ""),
    ("{{ '%s!' | format(x) }}", "!"),
    ("{% for each in [x] %}{{ each }}{% endfor %}", ""),
    ("{% set y = x %}{{ y }}", ""),
    ("{{ x if true else 1 }}", ""),
    ("{{ {'y': x}.y }}", ""),
]


@pytest.mark.parametrize(("template", "sent"), PRINTS)
def test_null_is_never_printed_as_a_word(template: str, sent: str, tmp_path: Path) -> None:
    rows = [{"id": "a", "x": None}]
    (said,) = diagnostics_of(lambda: check(source(_job(tmp_path, rows, f"Q {template}"))))
    assert re.match(r"4:[0-9]+: prompt: the prompt prints ", said)
    assert "which is null or NaN, in the only row; write `{{ x or '' }}`, or set `inputs.on_empty`" in said
    assert not _texts(_job(tmp_path, rows, f"Q {template}", "skip"))
    assert _texts(_job(tmp_path, rows, f"Q {template}", "send")) == {"a": f"Q {sent}"}


HANDLED = [
    ("{{ x or '' }}", ""),
    ("{{ x or 'none' }}", "none"),
    ("{{ x | default('-') }}", "-"),
    ("{{ x | d('-', true) }}", "-"),
    ("{% if x %}{{ x }}{% endif %}", ""),
    ("{% if x is none %}gone{% endif %}", "gone"),
    ("{{ 'gone' if x is none else x }}", "gone"),
    ("{{ x == none }}", "True"),
    ("{{ [x, 1] | select | join(',') }}", "1"),
    ("{{ {'x': x} | tojson }}", '{"x": null}'),
    ("{{ {'x': x} }}", "{'x': None}"),  # as it always was: another text would send such requests again
]


@pytest.mark.parametrize("on_empty", ["error", "skip", "send"])
@pytest.mark.parametrize(("template", "sent"), HANDLED)
def test_a_prompt_may_say_what_stands_for_null(
    template: str, sent: str, on_empty: str, tmp_path: Path
) -> None:
    path = _job(tmp_path, [{"id": "a", "x": None}], f"Q {template}", on_empty)
    assert _texts(path) == {"a": f"Q {sent}"}


def test_the_error_names_the_column_and_counts_its_rows(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "title": "x"},
        {"id": "b", "title": None},
        {"id": "c", "title": None},
    ]
    (said,) = diagnostics_of(lambda: check(source(_job(tmp_path, rows, "On {{ title }}"))))
    assert said == (
        "4:16: prompt: the prompt prints `title`, which is null or NaN, in 2 of 3 rows, "
        "first in rows.jsonl:2; write `{{ title or '' }}`, or set `inputs.on_empty`"
    )


def test_a_missing_column_is_an_error_in_any_case(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "x": 1}, {"id": "b"}]
    for on_empty in ("error", "skip", "send"):
        (said,) = diagnostics_of(
            lambda on_empty=on_empty: check(source(_job(tmp_path, rows, "{{ x }}", on_empty)))  # type: ignore[misc]
        )
        assert said.startswith("4:13: prompt: no variable `x` for the prompt, in 1 of 2 rows")


def test_skipped_rows_are_reported_once_and_leave_the_others_as_they_are(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"x": "one"}, {"x": None}, {"x": " \n"}, {"x": "two"}]
    requests = source(_job(tmp_path, rows, "{{ x }}", "skip"))
    kept = [(request.id, request.fingerprint) for request in requests.requests()]
    whole = source(_job(tmp_path, [rows[0], rows[3]], "{{ x }}"))
    assert kept == [(request.id, request.fingerprint) for request in whole.requests()]
    assert [notice.partition(" ")[2] for notice in requests.notices] == [SKIPPED]
    assert check(source(_job(tmp_path, rows, "{{ x }}", "skip"))).total == 2


def test_a_bad_row_of_a_job_that_skips_those_keeps_its_id(tmp_path: Path) -> None:
    path = _job(tmp_path, [{"id": "a", "x": None}, {"id": "b", "x": "y"}], "{{ x }}")
    path.write_text(path.read_text().replace("on_empty: error", "on_bad_row: skip"))
    assert [(request.id, request.target) for request in source(path).requests()] == [("a", ""), ("b", "m")]


@pytest.mark.parametrize("cell", ["", "  "])
def test_an_empty_cell_is_data(cell: str, tmp_path: Path) -> None:
    write(tmp_path, f"id,text\na,{cell}\n", "rows.csv")
    path = write(tmp_path, HEAD + "prompt: 'Q: {{ text }}'\ninputs: {csv: rows.csv}\n")
    assert _texts(path) == {"a": f"Q: {cell}"}


BLANK = "4:9: prompt: the prompt is blank, in the only row; `inputs.on_empty` may `skip` or `send` such rows"


@pytest.mark.parametrize("value", ["", " ", "\n\t", "\u00a0"])
def test_a_blank_prompt_follows_the_same_rule(value: str, tmp_path: Path) -> None:
    rows = [{"id": "a", "x": value}]
    assert diagnostics_of(lambda: check(source(_job(tmp_path, rows, "{{ x }}")))) == [BLANK]
    assert not _texts(_job(tmp_path, rows, "{{ x }}", "skip"))
    assert _texts(_job(tmp_path, rows, "{{ x }}", "send")) == {"a": value}


def test_instructions_alone_ask_nothing(tmp_path: Path) -> None:
    path = _job(tmp_path, [{"id": "a", "x": ""}], "{{ x }}")
    path.write_text(path.read_text() + "system: You are an assistant.\n")
    assert diagnostics_of(lambda: check(source(path))) == [BLANK]


def test_a_message_among_others_may_be_blank(tmp_path: Path) -> None:
    path = _job(tmp_path, [{"id": "a", "x": ""}], "-")
    prompt = "messages: [{role: user, content: Hi}, {role: assistant, content: '{{ x }}'}]"
    path.write_text(path.read_text().replace('prompt: "-"', prompt))
    assert [len(request.messages) for request in source(path).requests()] == [2]


@pytest.mark.parametrize("content", ["", " \n\n", "\ufeff"])
def test_a_blank_document_follows_the_same_rule(content: str, tmp_path: Path) -> None:
    write(tmp_path, content, "d/a.txt")
    write(tmp_path, "x", "d/b.txt")

    def job(on_empty: str) -> Path:
        inputs = f"inputs: {{files: d/*.txt, on_empty: {on_empty}}}\n"
        return write(tmp_path, HEAD + "prompt: 'Sum up: {{ text }}'\n" + inputs)

    assert diagnostics_of(lambda: check(source(job("error")))) == [
        "a.txt: is empty; `inputs.on_empty` may `skip` or `send` such documents"
    ]
    requests = source(job("skip"))
    assert list(by_id(requests)) == ["b.txt"]
    assert requests.notices == [f"{tmp_path}/d/a.txt is empty and is skipped (`on_empty: skip`)"]
    assert list(_texts(job("send"))) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("written", ["empty", "drop", "no", "true"])
def test_on_empty_has_three_values(written: str, tmp_path: Path) -> None:
    (said,) = diagnostics_of(lambda: source(_job(tmp_path, [], "x", written)))
    assert "inputs.on_empty: expected `error`, `skip` or `send`" in said


def test_nan_in_a_parquet_column_is_as_null(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"id": ["a", "b"], "n": [float("nan"), 1.5]}), tmp_path / "r.parquet")

    def job(on_empty: str) -> Path:
        inputs = f"inputs: {{parquet: r.parquet, on_empty: {on_empty}}}\n"
        return write(tmp_path, HEAD + "prompt: 'n={{ n }}'\n" + inputs)

    (said,) = diagnostics_of(lambda: check(source(job("error"))))
    assert said.startswith("4:15: prompt: the prompt prints `n`, which is null or NaN, in 1 of 2 rows")
    assert _texts(job("skip")) == {"b": "n=1.5"}
    assert _texts(job("send")) == {"a": "n=", "b": "n=1.5"}
