"""Places in a file (line and column), and the errors found there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from batch.errors import Diagnostic, JobFileError
from batch.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

At: TypeAlias = tuple[str | int, ...]
"""The path from the root of a tree to one of its values: keys and list indexes."""

MAX_DIAGNOSTICS = 100
"""Errors that are kept; further ones are only counted."""

_PLAIN_KEY = re.compile(r"[\w-][\w.-]*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a file, both from 1; 0 if there is no line, as for a flag.

    ``body`` is the line on which the text of a literal block begins; 0 if the lines of the text are not lines
    of the file.
    """

    path: str
    line: int = 0
    column: int = 0
    body: int = 0

    def at_text_line(self, number: int) -> Place:
        """Return the place of the text's line ``number`` (from 1), or of the text if unknown."""
        if self.body:
            return Place(self.path, self.body + number - 1, 1)
        return self


@dataclass(slots=True)
class Places:
    """The places of a tree's values and of their keys."""

    root: Place
    values: dict[At, Place] = field(default_factory=dict)
    keys: dict[At, Place] = field(default_factory=dict)

    def value(self, at: At) -> Place:
        """Return the place of the value, or of the nearest enclosing value."""
        return _nearest(self.values, at) or self.root

    def key(self, at: At) -> Place:
        """Return the place of the value's key, or of the nearest enclosing key."""
        return self.keys.get(at) or self.values.get(at) or _nearest(self.keys, at) or self.root


def _nearest(places: dict[At, Place], at: At) -> Place | None:
    for length in range(len(at), -1, -1):
        if (place := places.get(at[:length])) is not None:
            return place
    return None


def dotted(at: At) -> str:
    """Return the path in dotted form: ``models[1].params.temperature``."""
    text = ""
    for step in at:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + shown(step)
    return text


def shown(key: str) -> str:
    """Return a key in printable form: unchanged if it is plain, else quoted, escaped and truncated.

    Letters of every script stay readable.
    """
    if _PLAIN_KEY.match(key) and len(key) <= 60:
        return key
    return escape(json.dumps(key if len(key) <= 60 else key[:60] + "…", ensure_ascii=False), limit=1000)


class DiagnosticList:
    """Collects errors, and keeps the first ``MAX_DIAGNOSTICS`` of them."""

    def __init__(self) -> None:
        self._kept: list[Diagnostic] = []
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def append(self, diagnostic: Diagnostic) -> None:
        """Keep the error, or only count it if the limit is reached."""
        if len(self._kept) < MAX_DIAGNOSTICS:
            self._kept.append(diagnostic)
        else:
            self._left_out += 1

    def extend(self, diagnostics: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
        """Add several errors."""
        for diagnostic in diagnostics:
            self.append(diagnostic)

    def error(self, notices: Sequence[str] = ()) -> JobFileError:
        """Return all errors, those with a line first and sorted by line, and the number of omitted ones."""
        first_seen = {path: rank for rank, path in enumerate(dict.fromkeys(m.path for m in self._kept))}
        kept = sorted(self._kept, key=lambda m: (m.line == 0, first_seen[m.path], m.line, m.column))
        if self._left_out:
            kept.append(Diagnostic(kept[-1].path, 0, 0, "", f"and {self._left_out} more errors"))
        return JobFileError(kept, len(self._kept) + self._left_out, notices)

    def raise_if_any(self) -> None:
        """Raise ``JobFileError`` if there are errors."""
        if self._kept:
            raise self.error()


class Findings(DiagnosticList):
    """The errors of one tree, addressed by their paths in it."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.notices: list[str] = []
        self._places = places

    def at_value(self, at: At, what: str, hint: str = "") -> None:
        """Report an error in the value."""
        self.at_place(self._places.value(at), dotted(at), what, hint)

    def at_key(self, at: At, what: str, hint: str = "") -> None:
        """Report an error in the key, or in everything below it."""
        self.at_place(self._places.key(at), dotted(at), what, hint)

    def notice_at_key(self, at: At, what: str) -> None:
        """Keep a notice about a key that is allowed but probably not intended."""
        place = self._places.key(at)
        self.notices.append(str(Diagnostic(place.path, place.line, place.column, dotted(at), what)))

    def at_place(self, place: Place, where: str, what: str, hint: str = "") -> None:
        """Report an error at a known place."""
        self.append(Diagnostic(place.path, place.line, place.column, where, what, hint))


Problem: TypeAlias = tuple[str, str]
"""A description of an error, and a hint, which may be empty."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the most similar known name, or an empty text."""
    meant = closest(name, known)
    return f"did you mean `{shown(meant)}`?" if meant else ""


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the most similar known name; one with the same letters in another order comes first."""
    close = get_close_matches(name[:100], list(known), n=3, cutoff=cutoff)
    return min(close, key=lambda each: sorted(each) != sorted(name), default=None)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (bytes, "bytes"),
    (list, "a list"),
    (dict, "keys and values"),
)


def kind(value: object) -> str:
    """Describe the type of a value. Never include the value itself: it may be a secret."""
    other = "nothing" if value is None else "a value of another kind"
    return next((words for form, words in _KINDS if isinstance(value, form)), other)
