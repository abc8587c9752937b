"""Sentences, and the summary that is made of them by arithmetic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.local_model.extractive import summarise, summary_length
from batch.local_model.sentences import normalise, quotable, sentences

DOCUMENTS = sorted((Path(__file__).parents[3] / "jobs" / "documents").glob("*.txt"))

word = st.text("abcdeäß漢字'\"“”()", min_size=1, max_size=6)
stop = st.sampled_from([".", "!", "?", "?!", "...", "…", ".”", '."', ".)", ",", ":", ""])
space = st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u2029", "\u00a0"])
abbreviation = st.sampled_from(["Dr.", "e.g.", "No. 5", "3.5", "J.", "U.S.", "1.", "Paris", "I"])
prose = st.lists(st.tuples(word | abbreviation, stop, space).map("".join), max_size=40).map("".join)
full_width_prose = st.lists(
    st.sampled_from(["今日は", "晴れ", "。", "！", "」", " ", "\n", "Yes. ", "no"]), max_size=30
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("No stop", ["No stop"]),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("One.\nTwo\nand a half.", ["One.", "Two and a half."]),
        ("What?! Never.", ["What?!", "Never."]),
        ("Well... perhaps. So… yes… No.", ["Well... perhaps.", "So… yes…", "No."]),
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("Use tools, e.g. Excel, i.e. Sheets. Good.", ["Use tools, e.g. Excel, i.e. Sheets.", "Good."]),
        ("It costs 3.5 euros. It is No. 5. I said no. Yes.",
         ["It costs 3.5 euros.", "It is No. 5.", "I said no.", "Yes."]),
        ("J. R. R. Tolkien wrote. The U.S. Navy read.", ["J. R. R. Tolkien wrote.", "The U.S. Navy read."]),
        ("1. Wash it. 2. Dry it.", ["1. Wash it.", "2. Dry it."]),
        ("In 1912. Then in 1958.", ["In 1912.", "Then in 1958."]),
        ("He said “Stop.” She went. (They knew.) All did.",
         ["He said “Stop.”", "She went.", "(They knew.)", "All did."]),
        ("“Stop!” he said. Why?", ["“Stop!” he said.", "Why?"]),
        ("A Heading\n\nThe text. It ends.", ["A Heading", "The text.", "It ends."]),
        ("Summarise this:\r\n\r\nThe text.", ["Summarise this:", "The text."]),
        ("¿Qué? ¡Sí! Vale.", ["¿Qué?", "¡Sí!", "Vale."]),
        ("今日は晴れ。明日は雨！「はい。」本当？", ["今日は晴れ。", "明日は雨！", "「はい。」", "本当？"]),
    ],
)  # fmt: skip
def test_a_text_is_cut_into_its_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(prose | st.text())
def test_normalising_leaves_only_single_spaces_inside(text: str) -> None:
    assert re.search(r"^\s|\s$|\s\s|[^\S ]", normalise(text)) is None


@given(prose)
def test_joined_sentences_give_the_text_back(text: str) -> None:
    assert " ".join(sentences(text)) == normalise(text)


@given(prose | full_width_prose | st.text())
def test_nothing_is_lost_or_invented_between_sentences(text: str) -> None:
    assert "".join(sentences(text)).replace(" ", "") == normalise(text).replace(" ", "")


@given(prose | full_width_prose | st.text())
def test_every_sentence_stands_in_the_text(text: str) -> None:
    assert all(sentence and sentence in normalise(text) for sentence in sentences(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heading\n\nOne. Two.", ["One.", "Two."]),
        ("Only a heading\n\nOne.", ["Only a heading", "One."]),
        ("One. Two. One. Three.", ["One.", "Two.", "Three."]),
        ("One. Tw\x00o. Three. Four.", ["One.", "Three.", "Four."]),
        ("\x00", []),
    ],
)
def test_only_different_whole_clean_sentences_are_quotable(text: str, expected: list[str]) -> None:
    assert quotable(text) == expected


@pytest.mark.parametrize(("available", "length"), [(0, 0), (1, 1), (2, 2), (3, 2), (5, 2), (6, 3), (99, 3)])
def test_the_summary_has_two_or_three_sentences_where_the_text_has_more(available: int, length: int) -> None:
    assert summary_length(available) == length


@given(prose | full_width_prose | st.text())
def test_a_summary_quotes_different_sentences_in_order(text: str) -> None:
    found = quotable(text)
    places = [found.index(sentence) for sentence in summarise(text)]
    assert places == sorted(set(places))
    assert len(places) == summary_length(len(found))


def test_a_summary_prefers_what_the_text_is_about_and_says_nothing_twice() -> None:
    text = (
        "The mill grinds wheat into flour for every baker of the valley. Hello there. "
        "The mill grinds wheat into flour for each baker of the valley. It rained. "
        "A new wheel lets the mill grind twice the flour in winter. Nobody knows why."
    )
    summary = summarise(text)
    assert "Hello there." not in summary
    assert "It rained." not in summary
    assert sum("baker of the valley" in sentence for sentence in summary) == 1


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_summary_of_an_example_is_not_its_opening(path: Path) -> None:
    text = path.read_text("utf-8")
    summary = summarise(text)
    assert summary != quotable(text)[: len(summary)]
