"""Columns of a terminal: what texts take, and what is left of them in fewer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.display_width import cut, cut_front, display_width, padded, without_variants

WIDTHS = [
    ("", 0),
    ("plain", 5),
    ("Grüße", 5),
    ("Gru\u0308ße", 5),
    ("日本語", 6),
    ("ｆｕｌｌ", 8),
    ("ﾊﾝｶｸ", 4),
    ("🎉 party", 8),
    ("각", 2),
    ("\u1100\u1161\u11a8", 2),
    ("नमस्ते", 4),
    ("שָׁלוֹם", 4),
    ("…", 1),
]


@pytest.mark.parametrize(("text", "columns"), WIDTHS)
def test_columns_are_those_of_a_terminal(text: str, columns: int) -> None:
    assert display_width(text) == columns


@pytest.mark.parametrize(
    ("text", "width", "from_the_end", "from_the_front"),
    [
        ("abcdef", 6, "abcdef", "abcdef"),
        ("abcdef", 4, "abc…", "…def"),
        ("abcdef", 1, "…", "…"),
        ("abcdef", 0, "", ""),
        ("日本語", 5, "日本…", "…本語"),
        ("日本語", 4, "日…", "…語"),
        ("e\u0301te\u0301", 2, "e\u0301…", "…e\u0301"),
    ],
)
def test_what_does_not_fit_is_cut(text: str, width: int, from_the_end: str, from_the_front: str) -> None:
    assert cut(text, width) == from_the_end
    assert cut_front(text, width) == from_the_front


def test_padding_counts_columns_and_not_characters() -> None:
    assert padded("日本", 6) == "日本  "
    assert padded("12", 4, right=True) == "  12"
    assert padded("too long", 3) == "too long"


def test_variation_selectors_go_and_nothing_else() -> None:
    assert without_variants("❤\ufe0f 葛\ufe00 e\u0301") == "❤ 葛 e\u0301"


@given(st.text(), st.integers(0, 30))
def test_nothing_is_wider_than_asked_for(text: str, width: int) -> None:
    for piece in (cut(text, width), cut_front(text, width)):
        assert display_width(piece) <= width
        assert display_width(padded(piece, width)) == width
