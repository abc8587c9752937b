"""Two answers as one text on a terminal, with the words marked that differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.cli.word_diff import MAX_LINES, word_diff
from batch.display_width import display_width
from tests.support.results_support import hostile_text

TWENTY = " ".join(f"w{number}" for number in range(20))

CASES: list[tuple[str, str, list[str]]] = [
    ("A red car.", "A blue car.", ["A [-red-] {+blue+} car."]),
    ("one\ntwo\nthree", "one\n2\nthree", ["one", "[-two-] {+2+}", "three"]),
    ("one", "one two three", ["one {+two three+}"]),
    ("日本の首都", "日本国の首都", ["日本{+国+}の首都"]),
    (f"{TWENTY} a", f"{TWENTY} b", ["… w12 w13 w14 w15 w16 w17", "w18 w19 [-a-]{+b+}"]),
    (f"a {TWENTY}", f"b {TWENTY}", ["[-a-] {+b+} w0 w1 w2 w3 w4", "w5 w6 w7 …"]),
    ("a \x1b[2Jb", "a \u202ec", ["a [-\\x1b[2Jb-]{+\\u202ec+}"]),
    ("a  b", "a b", ["(only white space differs)"]),
]


@pytest.mark.parametrize(("before", "after", "lines"), CASES, ids=range(len(CASES)))
def test_lines(before: str, after: str, lines: list[str]) -> None:
    assert list(word_diff(before, after, 26, colour=False)) == lines


def test_colors_take_the_place_of_brackets() -> None:
    assert list(word_diff("A red car.", "A blue car.", 80, colour=True)) == [
        "A \x1b[31mred\x1b[0m \x1b[32mblue\x1b[0m car."
    ]


def test_a_long_change_is_shown_in_part() -> None:
    before = " ".join(f"old{number}" for number in range(500))
    (line,) = word_diff(before, "new", 1000, colour=False)
    assert line.startswith("[-old0 old1 ")
    assert line.endswith(" old30 old31 … old492 old493 old494 old495 old496 old497 old498 old499-]{+new+}")


def test_many_lines_are_cut() -> None:
    before = "\n".join(f"line {number} x" for number in range(40))
    after = "\n".join(f"line {number} y" for number in range(40))
    found = list(word_diff(before, after, 80, colour=False))
    assert len(found) == MAX_LINES
    assert found[-1] == "…"


@given(hostile_text, hostile_text, st.sampled_from([10, 40, 80]))
def test_no_line_is_too_wide_or_shown_raw(before: str, after: str, width: int) -> None:
    for line in word_diff(before, after, width, colour=False):
        assert display_width(line) <= max(width, len("(only white space differs)"))
        assert all(character.isprintable() or character.isspace() for character in line)
        assert not set(line) & set("\n\r\x1b\u2028")
