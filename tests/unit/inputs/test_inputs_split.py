"""Chunks of a long text: they cover it exactly, keep their bound, and end where a reader would pause."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.inputs.readers.split import spans, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECES = (
    "a",
    "word",
    "Über",
    "語",
    "🙂",
    "x" * 40,
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    ". ",
    ".\n",
    "?” ",
    "。",
    "e.g. ",
)
_TEXT = st.lists(st.sampled_from(_PIECES), max_size=120).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=200
)
_SIZES = st.integers(2, 40).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@given(_TEXT, _SIZES)
def test_chunks_cover_the_text_in_order_and_without_a_gap(text: str, sizes: tuple[int, int]) -> None:
    chunks = spans(text, *sizes)
    assert chunks[0].start == 0
    assert chunks[-1].end == len(text)
    for before, after in pairwise(chunks):
        assert before.start < after.start <= before.end < after.end
    joined = text[: chunks[0].end] + "".join(text[one.end : two.end] for one, two in pairwise(chunks))
    assert joined == text


@given(_TEXT, _SIZES)
def test_only_an_unbroken_run_is_longer_than_the_bound(text: str, sizes: tuple[int, int]) -> None:
    for chunk in spans(text, *sizes):
        part = text[chunk.start : chunk.end]
        assert tokens(part) <= sizes[0] or re.fullmatch(r"\S+\s?", part)


@given(_TEXT, _SIZES)
def test_what_is_repeated_keeps_its_bound_and_begins_with_a_word(text: str, sizes: tuple[int, int]) -> None:
    for before, after in pairwise(spans(text, *sizes)):
        repeated = text[after.start : before.end]
        assert tokens(repeated) <= sizes[1]
        assert not repeated or text[after.start - 1].isspace() or text[after.start - 1] in "。！？”"


@given(_TEXT, _SIZES)
def test_a_chunk_ends_with_white_space_or_a_full_width_stop(text: str, sizes: tuple[int, int]) -> None:
    for chunk in spans(text, *sizes)[:-1]:
        assert text[chunk.end - 1].isspace() or text[chunk.end - 1] in "。！？”"


def _cut(text: str, size: int, overlap: int = 0) -> list[str]:
    return [text[span.start : span.end] for span in spans(text, size, overlap)]


SENTENCES = "One two three. Four five six. Seven eight nine. "


@pytest.mark.parametrize(
    ("text", "size", "overlap", "chunks"),
    [
        pytest.param("", 5, 0, [""], id="nothing"),
        pytest.param("Short.", 5, 0, ["Short."], id="what fits"),
        pytest.param(
            SENTENCES, 12, 0, ["One two three. Four five six. ", "Seven eight nine. "], id="at a sentence"
        ),
        pytest.param(
            "Says Mr. x. Then: e.g. this one. And more.",
            9,
            0,
            ["Says Mr. x. ", "Then: e.g. this one. ", "And more."],
            id="not before a small letter",
        ),
        pytest.param(
            "One two. Three.\n\nFour five. Six seven.",
            10,
            0,
            ["One two. Three.\n\n", "Four five. Six seven."],
            id="rather at a paragraph",
        ),
        pytest.param(
            "a\n\nOne two three. Four five six.",
            9,
            0,
            ["a\n\nOne two three. ", "Four five six."],
            id="but not at one near the beginning",
        ),
        pytest.param("one two three\nfour five", 6, 0, ["one two three\n", "four five"], id="at a line"),
        pytest.param("one two three four", 3, 0, ["one two ", "three ", "four"], id="at a word"),
        pytest.param("a " + "x" * 30 + " b", 4, 0, ["a ", "x" * 30 + " ", "b"], id="a run is not broken"),
        pytest.param("一二三。四五六。七八九", 8, 0, ["一二三。四五六。", "七八九"], id="full-width stops"),
        pytest.param(
            SENTENCES,
            12,
            6,
            ["One two three. Four five six. ", "Four five six. Seven eight nine. "],
            id="a sentence is repeated",
        ),
        pytest.param("one two three four five", 6, 2, ["one two three ", "three four five"], id="or a word"),
    ],
)
def test_where_it_is_cut(text: str, size: int, overlap: int, chunks: Sequence[str]) -> None:
    assert _cut(text, size, overlap) == list(chunks)


def test_a_long_text_takes_time_that_grows_with_it_alone() -> None:
    text = SENTENCES * 20_000
    chunks = spans(text, 2000, 100)
    assert len(chunks) == pytest.approx(len(text) / 3 / 1900, rel=0.02)
