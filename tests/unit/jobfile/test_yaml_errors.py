"""Errors in the YAML of a job file: any text is explained and read on, or refused; no secret is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.diagnostics import Place
from batch.errors import JobFileError
from batch.jobfile.syntax.tree import from_yaml, read_yaml
from batch.jobfile.template_places import offset_of_name, place_in
from tests.support.jobfile_support import diagnostics_of

SOUND = """\
provider: openai
base_url: "http://127.0.0.1:1/v1"  # local
model: {model: 'm', params: {temperature: 0.5}}
prompts:
- id: a
  prompt: |
    Sum up {{ text }}
- "Say \\"hello\\""
inputs:
  files: [a/*.txt, b.txt]
"""
SIGNS = "\t :'\"{}[]-#&*!|>%@`,\n=“a"


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.sampled_from(["", *SIGNS])), max_size=4))
def test_whatever_is_typed_is_read_or_refused_with_places_in_the_file(edits: list[tuple[int, str]]) -> None:
    text = SOUND
    for at, sign in edits:
        text = text[:at] + sign + text[at + 1 :]
    try:
        found = read_yaml(text, "f").diagnostics
    except JobFileError as error:
        found = error.diagnostics
    assert all(0 <= each.line <= text.count("\n") + 1 for each in found)
    assert len(found) <= 40


SECRETS = [
    "api_key @sk-abcdefghijklmnop\nmodel: m\n",
    "api_key: @sk-abcdefghijklmnop\n",
    "headers: {Authorization: Bearer sk-abcdefghijklmnop}: x\n",
    "password=abcdefghijklmnop\nmodel: m\n",
    "base_url: {http://me:abcdefghijklmnop@host} x\n",
    "model: m\ntoken abcdefghijklmnop\nsamples: 2\n",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_line_that_may_hold_a_secret_is_not_repeated(text: str) -> None:
    said = diagnostics_of(lambda: from_yaml(text, "f"))
    assert said
    assert "abcdefghijklmnop" not in "".join(said)


STYLES = [
    ("a: x {{ b }} {{ name }}\n", (1, 17)),
    ("a: 'it''s {{ b }} {{ name }}'\n", (1, 22)),
    ('a: "\\"{{ b }}\\"\\n {{ name }}"\n', (1, 22)),
    ("a: |\n  one\n  {{ b }}\n  and {{ name }}\n", (4, 10)),
    ("a: >-\n  one\n  two {{ b }}\n  and {{ name }}\n", (4, 10)),
    ("a: one\n  two {{ b }}\n  and {{ name }}\n", (3, 10)),
    ("a: {{ name }}\n", (1, 7)),
    ("a: {{ b }} and {{ name }}\n", (1, 19)),
]


@pytest.mark.parametrize(("text", "place"), STYLES)
def test_a_variable_is_found_in_every_style_of_text(text: str, place: tuple[int, int]) -> None:
    tree = read_yaml(text, "f")
    template = tree.value["a"]
    offset = offset_of_name(template, "name")
    assert offset is not None
    found = place_in(tree.places.value(("a",)), template, offset)
    assert (found.line, found.column) == place


def test_a_text_whose_lines_are_not_known_has_the_place_of_its_key() -> None:
    assert place_in(Place("job"), "{{ name }}", 3) == Place("job")


def test_all_errors_of_a_file_are_named() -> None:
    text = "model: a: b\n\tsystem: x\nprompt: 'open\nname: [a\nsamples: @x\n"
    said = [(each.line, each.column) for each in read_yaml(text, "f").diagnostics]
    assert said[:2] == [(1, 9), (2, 1)]
    assert {line for line, _ in said} >= {1, 2, 3, 4, 5}


BREAKS = ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("line_break", BREAKS)
def test_each_line_break_of_yaml_gives_the_same_places(line_break: str) -> None:
    text = "name: x\nsystem: {{ text }}\nprompt: '{{ b }}'\nsamples: @x\nparams: {top_p:1, a: {{ c }}"
    tree = read_yaml(text.replace("\n", line_break), "f")
    assert [(each.line, each.column, each.what) for each in tree.diagnostics] == [
        (2, 9, "a text that starts with `{` needs quotes"),
        (4, 10, "a text that starts with `@` needs quotes"),
        (5, 9, "the `{` that opens here is never closed"),
        (5, 10, "no `: ` between a key and its value"),
        (5, 22, "a text that starts with `{` needs quotes"),
    ]
    assert tree.places.value(("prompt",)) == Place("f", 3, 9, "'{{ b }}'")


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_place_in_a_text_counts_the_line_breaks_of_yaml(line_break: str) -> None:
    raw = f"|{line_break}  one{line_break}  {{{{ b }}}}"
    assert Place("f", 2, 9, raw).within(raw.index("{{")).line == 4
    assert Place("f", 2, 9, raw).within(raw.index("{{")).column == 3
    assert Place("f", 2, 9, raw).within(1) == Place("f", 2, 10)
