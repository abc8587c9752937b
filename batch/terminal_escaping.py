"""Escape text from models and servers so that a terminal can display it safely.

Such text may contain anything: sequences that move the cursor, rename the window or write to the clipboard,
characters that reverse the reading direction, line breaks that forge a log line.
"""

from __future__ import annotations

import unicodedata

DEFAULT_LIMIT = 300


def escape(text: str, limit: int = DEFAULT_LIMIT) -> str:
    """Return the text on one line, with every invisible character escaped (``\\x1b``, ``\\u202e``, ``\\n``).

    Letters, marks, symbols and spaces of every script stay. At most ``limit`` characters are returned; a
    final ellipsis shows that text was truncated.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown: list[str] = []
    length = 0
    for character in text[: limit + 1]:
        piece = character if _is_visible(character) else character.encode("unicode_escape").decode("ascii")
        length += len(piece)
        if length > limit:
            return _cut(shown, limit)
        shown.append(piece)
    return "".join(shown)


def escape_json(text: str) -> str:
    """Escape every invisible character but line breaks in JSON text as ``\\uXXXX``.

    In JSON, such a character can only be inside a string, so the value stays the same.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character == "\n" or _is_visible(character) else _as_json(character)
        for character in text
    )


def _as_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_visible(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _cut(pieces: list[str], limit: int) -> str:
    """Return as many whole pieces as leave room for the ellipsis."""
    while pieces and sum(map(len, pieces)) >= limit:
        pieces.pop()
    return "".join(pieces) + "…"
