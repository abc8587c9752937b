"""The words in which two texts differ."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_WORDS = 2000
"""Words after the common beginning that are compared: more than a terminal shows of an answer."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana and Chinese characters
)
"""Scripts without spaces between words: each character counts as a word."""

_WORD = re.compile(rf"([{_UNSPACED}]|[^\s{_UNSPACED}]+)(\s*)")

Kind: TypeAlias = Literal["same", "removed", "added"]


class Word(NamedTuple):
    """A word, and the white space after it."""

    text: str
    space: str


class Piece(NamedTuple):
    """Words one after the other that are in both texts, or in only one of them."""

    kind: Kind
    words: Sequence[Word]


class WordChanges(NamedTuple):
    """The pieces of two texts in order. Of long texts, only the beginning is compared."""

    pieces: Sequence[Piece]

    @property
    def has_changes(self) -> bool:
        """Whether any word differs; else only white space does."""
        return any(piece.kind != "same" for piece in self.pieces)


def word_changes(before: str, after: str) -> WordChanges:
    """Compare two texts word by word. White space counts only as what separates words."""
    start, old, new = _without_common_start(_words(before), _words(after))
    pieces = [Piece("same", start)] if start else []
    return WordChanges([*pieces, *_pieces(old[:MAX_WORDS], new[:MAX_WORDS])])


def _words(text: str) -> Iterator[Word]:
    return (Word(*found.groups()) for found in _WORD.finditer(text))


def _without_common_start(
    old: Iterator[Word], new: Iterator[Word]
) -> tuple[list[Word], list[Word], list[Word]]:
    """Return the words that both begin with, and the next ones of each, at most one too many."""
    start: list[Word] = []
    for before, after in zip_longest(old, new):
        if before is None or after is None or before.text != after.text:
            return start, _next_words(before, old), _next_words(after, new)
        start.append(after)
    return start, [], []


def _next_words(first: Word | None, rest: Iterator[Word]) -> list[Word]:
    return [] if first is None else [first, *islice(rest, MAX_WORDS)]


def _pieces(old: Sequence[Word], new: Sequence[Word]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, [word.text for word in old], [word.text for word in new])
    for operation, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if operation == "equal":
            yield Piece("same", new[new_start:new_end])
            continue
        if old_end > old_start:
            yield Piece("removed", old[old_start:old_end])
        if new_end > new_start:
            yield Piece("added", new[new_start:new_end])
