"""The words in which two texts differ."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.results.comparison.word_changes import MAX_WORDS, word_changes

Pieces = list[tuple[str, str]]

CASES: list[tuple[str, str, Pieces]] = [
    ("a b c", "a b c", [("same", "a b c")]),
    ("a b c", "a x c", [("same", "a "), ("removed", "b "), ("added", "x "), ("same", "c")]),
    ("a b", "a b c d", [("same", "a b "), ("added", "c d")]),
    ("a b c", "c", [("removed", "a b "), ("same", "c")]),
    ("", "a", [("added", "a")]),
    ("a", "", [("removed", "a")]),
    ("", "", []),
    (" a\n\nb ", "a b", [("same", "a b")]),
    ("it is.", "it is!", [("same", "it "), ("removed", "is."), ("added", "is!")]),
    (
        "日本の首都です。",
        "日本の首都だ。",
        [("same", "日本の首都"), ("removed", "です"), ("added", "だ"), ("same", "。")],
    ),
    ("vitamin乙", "vitamin丙", [("same", "vitamin"), ("removed", "乙"), ("added", "丙")]),
]


def joined(words: object) -> str:
    return "".join(text + space for text, space in words)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("before", "after", "pieces"), CASES, ids=range(len(CASES)))
def test_pieces(before: str, after: str, pieces: Pieces) -> None:
    found = word_changes(before, after).pieces
    assert [(piece.kind, joined(piece.words)) for piece in found] == pieces


def test_white_space_alone_is_no_change_of_words() -> None:
    assert not word_changes("a  b\n", "a b").has_changes
    assert word_changes("a b", "a c").has_changes


def test_only_the_beginning_of_very_long_texts_is_compared() -> None:
    before, after = (" ".join(f"{letter}{number}" for number in range(5000)) for letter in "ab")
    changes = word_changes(f"start {before}", f"start {after}")
    assert changes.has_changes
    assert [(piece.kind, len(piece.words)) for piece in changes.pieces] == [
        *(("same", 1), ("removed", MAX_WORDS), ("added", MAX_WORDS))
    ]
    longer = word_changes(before, f"{before} more")
    assert [(piece.kind, len(piece.words)) for piece in longer.pieces] == [("same", 5000), ("added", 1)]


@pytest.mark.parametrize("vocabulary", [1, 2, 20, 150, 2000])
def test_no_texts_take_long_to_compare(vocabulary: int) -> None:
    """Comparing all of their words would take minutes; in fact it is a part of a second."""
    before = " ".join(str(number * 7919 % vocabulary) for number in range(200_000))
    after = " ".join(str(number * 104729 % vocabulary) for number in range(1, 200_001))
    began = time.process_time()
    word_changes(before, after)
    assert time.process_time() - began < 5


texts = st.lists(st.sampled_from(["a", "b", "c", "日", "\n", "  "]), max_size=12).map(" ".join)


@given(texts, texts)
def test_the_pieces_hold_all_words_of_both_texts(before: str, after: str) -> None:
    pieces = word_changes(before, after).pieces

    def words(*kinds: str) -> list[str]:
        return [word.text for piece in pieces if piece.kind in kinds for word in piece.words]

    assert words("same", "removed") == before.split()
    assert words("same", "added") == after.split()
