"""How many columns of a terminal a text takes, and cutting and padding it to a number of them."""

from __future__ import annotations

import unicodedata

_VARIATION_SELECTORS = range(0xFE00, 0xFE10)
_HANGUL_VOWELS_AND_FINALS = range(0x1160, 0x1200)
ELLIPSIS = "…"


def display_width(text: str) -> int:
    """Return the columns of an escaped text: two for a wide character, none for a combining mark."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return as much of the text as fits into ``width`` columns; an ellipsis at its end replaces the rest."""
    if display_width(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def cut_front(text: str, width: int) -> str:
    """Return the same of the end of the text: the ends of paths differ more than their beginnings."""
    if display_width(text) <= width:
        return text
    return ELLIPSIS + _tail(text, width - 1) if width > 0 else ""


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return the text with spaces up to ``width`` columns, after it or, with ``right``, before it."""
    spaces = " " * (width - display_width(text))
    return spaces + text if right else text + spaces


def without_variants(text: str) -> str:
    """Return the text without variation selectors: terminals disagree on the width that these give."""
    if text.isascii():
        return text
    return "".join(character for character in text if ord(character) not in _VARIATION_SELECTORS)


def _head(text: str, width: int) -> str:
    taken = 0
    for position, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[:position]
    return text


def _tail(text: str, width: int) -> str:
    taken, start = 0, len(text)
    for position in range(len(text) - 1, -1, -1):
        columns = _columns(text[position])
        taken += columns
        if taken > width:
            break
        if columns:  # a mark stays with the character before it
            start = position
    return text[start:]


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or ord(character) in _HANGUL_VOWELS_AND_FINALS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
