"""An error in YAML: what libyaml reports, what is said about it, and the lines of the text."""

from __future__ import annotations

import re
from typing import NamedTuple

from batch.secret_words import may_hold_secret

KEY = r"[^\s:#'\"\[\]{},&*!|>%@`-][^\s:]*"
ENTRY = re.compile(rf"(?P<start>\s*(?:- +)*)(?P<key>{KEY}):(?: +(?P<value>\S.*?))?\s*\Z")
"""A line with a key, and perhaps a value."""

_LONG = re.compile(r"\w{32,}")
"""A word that may be a key."""

_SHOWN = 60
"""Maximum number of characters of a line that a hint repeats."""


class YamlError(NamedTuple):
    """An error and its place, from 1. ``repaired`` is the text without it; ``None`` if that is unknown."""

    line: int
    column: int
    what: str
    hint: str
    repaired: str | None


class Found(NamedTuple):
    """What libyaml reports, from 0: the place of the problem, that of its context, the text and its lines."""

    text: str
    lines: list[str]
    problem: str
    at: tuple[int, int]
    context: str
    start: tuple[int, int] | None

    @property
    def line(self) -> str:
        """The line of the problem."""
        return self.lines[self.at[0]] if self.at[0] < len(self.lines) else ""


def with_line(lines: list[str], number: int, line: str) -> str:
    """Return the text with another line ``number`` (from 0)."""
    return "\n".join([*lines[:number], line, *lines[number + 1 :]])


def indent_of(line: str) -> int:
    """Return the number of spaces at the start of a line."""
    return len(line) - len(line.lstrip(" "))


def line_above(lines: list[str], number: int) -> int | None:
    """Return the number of the nearest line above that is neither blank nor a comment."""
    above = range(min(number, len(lines)) - 1, -1, -1)
    return next((n for n in above if lines[n].strip() and not lines[n].lstrip().startswith("#")), None)


def write(text: str, otherwise: str = "") -> str:
    """Return a hint with the corrected line, or another one if the line may hold a secret."""
    return otherwise if may_hold_secret(text) or _LONG.search(text) else f"write `{short(text)}`"


def short(text: str) -> str:
    """Return a text in bounded length."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def quoted(text: str) -> str:
    """Return a text in single quotes, which need no other escapes."""
    return "'" + text.replace("'", "''") + "'"


def in_double_quotes(text: str) -> str:
    """Return how a person would quote the text."""
    return f'"{text}"' if '"' not in text and "\\" not in text else quoted(text)
