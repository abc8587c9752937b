"""The grammar of a summary, read back by an independent reader of the little GBNF that it uses."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from batch.local_model.grammar import literal, parts, summary_grammar
from batch.local_model.sentences import quotable

_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:u([0-9A-F]{4})|U([0-9A-F]{8}))")

texts = st.lists(
    st.text("ab'\"\\[]{}|日\U0001f600", min_size=1).map(lambda body: body + "."), max_size=12
).map(" ".join)


def unescape(body: str) -> str:
    """The text of a GBNF literal's inside, by llama.cpp's rules for ``\\u`` and ``\\U``."""
    assert "\\" not in _ESCAPE.sub("", body)
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), body)


def choices(grammar: str) -> list[list[str]]:
    """The alternatives of each part, in the order in which the root asks for them."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    names = rules.pop("root").split(' " " ')
    assert list(rules) == names
    return [[unescape(match[1]) for match in _LITERAL.finditer(rules[name])] for name in names]


@given(st.text())
def test_a_literal_is_printable_ascii_and_means_exactly_its_text(text: str) -> None:
    written = literal(text)
    assert re.fullmatch(r"[ -~]*", written)
    match = _LITERAL.fullmatch(written)
    assert match is not None
    assert unescape(match[1]) == text


@given(texts | st.text())
def test_the_parts_hold_every_quotable_sentence_once_and_in_order(text: str) -> None:
    grammar = summary_grammar(text)
    offered = list(itertools.chain(*choices(grammar))) if grammar else []
    assert offered == quotable(text)


@given(texts)
def test_one_sentence_is_chosen_of_each_part_so_that_they_differ(text: str) -> None:
    grammar = summary_grammar(text)
    groups = choices(grammar) if grammar else []
    assert all(groups)
    assert len(groups) <= 3
    assert len(groups) == min(len(quotable(text)), 2 if len(quotable(text)) < 6 else 3)


@given(st.lists(st.text(), min_size=1), st.integers(1, 3))
def test_parts_are_as_even_as_can_be(found: list[str], count: int) -> None:
    sizes = [len(part) for part in parts(found, count)]
    assert sum(sizes) == len(found)
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 300))
def test_the_grammar_grows_in_step_with_the_text(count: int) -> None:
    text = " ".join(f"This is sentence {n} of them." for n in range(count))
    assert len(summary_grammar(text) or "") < 2 * len(text) + 100


def test_without_a_sentence_there_is_no_grammar() -> None:
    assert summary_grammar(" \n ") is None
