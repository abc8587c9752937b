"""The words in which two texts differ."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
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
    """The pieces of two texts in order. ``is_cut``: there are more words, which are not compared."""

    pieces: Sequence[Piece]
    is_cut: bool = False

    @property
    def has_changes(self) -> bool:
        """Whether any word differs; else only white space does."""
        return self.is_cut or any(piece.kind != "same" for piece in self.pieces)


def word_changes(before: str, after: str) -> WordChanges:
    """Compare two texts word by word. White space counts only as what separates words."""
    old, new = _words(before), _words(after)
    common = _common(old, new)
    start, old, new = new[:common], old[common:], new[common:]
    is_cut = max(len(old), len(new)) > MAX_WORDS
    pieces = [Piece("same", start)] if start else []
    return WordChanges([*pieces, *_pieces(old[:MAX_WORDS], new[:MAX_WORDS])], is_cut)


def _words(text: str) -> list[Word]:
    return [Word(*found) for found in _WORD.findall(text)]


def _common(old: Sequence[Word], new: Sequence[Word]) -> int:
    """Return the number of words that both begin with."""
    shorter = min(len(old), len(new))
    return next((at for at in range(shorter) if old[at].text != new[at].text), shorter)


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
