"""Prompts and the variables of their inputs: unused, in other braces, or unknown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from batch.app.setup.load_job import load_job
from batch.inputs import check
from tests.support.inputs_support import source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

SAME = "prompt: uses no variable, so it is the same for every row; it can use `{{ id }}`, `{{ text }}`"


def _braces(written: str, name: str = "text") -> str:
    return f"prompt: `{written}` is sent as it stands; write `{{{{ {name} }}}}` for the variable"


def _notices(folder: Path, prompt: str, more: str = "inputs: {csv: rows.csv}\n") -> list[str]:
    write(folder, "id,text\na,one\nb,two\n", "rows.csv")
    requests = source(write(folder, f"{HEAD}prompt: {json.dumps(prompt)}\n{more}"))
    check(requests)
    check(requests)
    place = re.compile(rf"{re.escape(str(folder))}/job\.yaml:4:[0-9]+: warning: ")
    return [place.sub("", notice) for notice in requests.notices]


@pytest.mark.parametrize(
    ("prompt", "notices"),
    [
        ("Sum up: {text}", [_braces("{text}")]),
        ("Sum up: ${text}", [_braces("${text}")]),
        ("Sum up: { text }", [_braces("{ text }")]),
        ("{{ id }}: {text}", [_braces("{text}")]),
        ("Sum up this text.", [SAME]),
        ("Sum up {document}", [SAME]),
        ('Answer as {"a": 1}', [SAME]),
        ("{% set x = 1 %}{{ x }}", [SAME]),
        ("{{ text }}", []),
        ("{{ text }} as {json}", []),
        ("{% if id %}x{% endif %}y", []),
        ("{{ text | upper }} {{ '{text}' }}", [_braces("{text}")]),
    ],
)  # fmt: skip
def test_a_prompt_that_leaves_its_rows_out(prompt: str, notices: list[str], tmp_path: Path) -> None:
    assert _notices(tmp_path, prompt) == notices


def test_variables_of_a_matrix_count_and_a_lone_prompt_needs_none(tmp_path: Path) -> None:
    matrix = "matrix: {tone: [kind, curt]}\n"
    assert _notices(tmp_path, "Be {tone}", matrix) == [_braces("{tone}", "tone")]
    assert _notices(tmp_path, "Be {{ tone }}", matrix) == []
    assert _notices(tmp_path, "Hi {text}", "") == []


def _all(folder: Path, text: str) -> list[str]:
    return diagnostics_of(lambda: load_job(write(folder, text)))


def test_one_error_does_not_hide_those_of_inputs_and_prompts(tmp_path: Path) -> None:
    text = (
        "provider: openai\nbase_url: http://127.0.0.1:1/v1/chat/completions\nmodle: m\n"
        "inputs: {files: ['nowhere/*.txt']}\nprompt: 'Sum up: {{ txt }}'\n"
        "params: {temprature: 0, max_tokens: -100}\n"
    )
    assert _all(tmp_path, text) == [
        "1:1: no model; write `model` or `models`",
        "2:11: base_url: ends in `/chat/completions`, which the client adds; write `http://127.0.0.1:1/v1`",
        "3:1: modle: unknown key; did you mean `model`?",
        "4:18: inputs.files[0]: no document matches; patterns are relative to the job file",
        "5:21: prompt: no variable `txt` for the prompt; did you mean `text`?",
        "6:25: params.max_tokens: must be at least 1",
    ]


UNKNOWN_KEY = "5:1: concurency: unknown key; did you mean `concurrency`?"
NO_TITLE = "4:13: prompt: no variable `titel` for the prompt, in the only row; did you mean `title`?"


@pytest.mark.parametrize(
    ("name", "rows"), [("csv", "id,title\na,x\n"), ("jsonl", '{"id": "a", "title": "x"}\n')]
)
def test_the_columns_of_a_table_are_read_for_it(name: str, rows: str, tmp_path: Path) -> None:
    write(tmp_path, rows, f"rows.{name}")
    text = f"{HEAD}prompt: '{{{{ titel }}}}'\nconcurency: 3\ninputs: {{{name}: rows.{name}}}\n"
    assert _all(tmp_path, text) == [NO_TITLE, UNKNOWN_KEY]


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ text }}",
        "{{ x | default('-') }}",
        "{% if x is defined %}{{ x }}{% endif %}",
        "{% for x in [text] %}{{ x }}{% endfor %}",
        "{{ range(3) | list }}",
    ],
)
def test_what_a_template_can_do_without_is_no_error(prompt: str, tmp_path: Path) -> None:
    text = f"{HEAD}prompt: {json.dumps(prompt)}\nconcurency: 3\ninputs: {{files: [no/*.txt]}}\n"
    assert [each.partition(" ")[0] for each in _all(tmp_path, text)] == ["5:1:", "6:18:"]


def test_a_pattern_without_a_match_does_not_hide_the_prompt(tmp_path: Path) -> None:
    text = f"{HEAD}prompt: '{{{{ txt }}}}'\ninputs: {{files: [no/*.txt]}}\n"
    assert diagnostics_of(lambda: check(source(write(tmp_path, text)))) == [
        "4:13: prompt: no variable `txt` for the prompt; did you mean `text`?",
        "5:18: inputs.files[0]: no document matches; patterns are relative to the job file",
    ]


@pytest.mark.parametrize("column", ["sku", "inputs.keep", "inputs.x"])
def test_a_column_may_be_called_like_a_key_of_the_job(column: str, tmp_path: Path) -> None:
    write(tmp_path, json.dumps({column: ""}), "rows.jsonl")
    path = write(
        tmp_path, f"{HEAD}prompt: '{{{{ y }}}}'\ninputs: {{jsonl: rows.jsonl, id_field: {column}}}\n"
    )
    assert diagnostics_of(lambda: check(source(path))) == [f"rows.jsonl:1:2: {column}: must not be empty"]
