"""Places in a file (line and column), and the errors found there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from batch.errors import Diagnostic, JobFileError
from batch.line_breaks import lines_of
from batch.terminal_escaping import escape

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

    ``raw`` is a template as it is written in the file from there on, with its quotes and its indentation;
    empty for other values.
    """

    path: str
    line: int = 0
    column: int = 0
    raw: str = field(default="", repr=False)

    def within(self, offset: int) -> Place:
        """Return the place of a character of ``raw``."""
        *above, last = lines_of(self.raw[:offset])
        start = self.column if not above else 1
        return Place(self.path, self.line + len(above), start + len(last))


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


def diagnostic_at(place: Place, where: str, what: str, hint: str = "", severity: str = "error") -> Diagnostic:
    """Return an error at a place, or a warning; ``where`` is the dotted path."""
    return Diagnostic(place.path, place.line, place.column, where, what, hint, severity)


def warning(place: Place, where: str, what: str, hint: str = "") -> Diagnostic:
    """Return a warning at a place."""
    return diagnostic_at(place, where, what, hint, "warning")


def in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return those with a line first, by file and line."""
    first_seen = {path: rank for rank, path in enumerate(dict.fromkeys(each.path for each in diagnostics))}
    return sorted(
        diagnostics, key=lambda each: (each.line == 0, first_seen[each.path], each.line, each.column)
    )


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

    def put_first(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add errors before the others."""
        kept = [*diagnostics, *self._kept]
        self._kept = kept[:MAX_DIAGNOSTICS]
        self._left_out += len(kept) - len(self._kept)

    def error(self) -> JobFileError:
        """Return all errors, those with a line first and sorted by line, and the number of omitted ones."""
        kept = in_order(self._kept)
        if self._left_out:
            kept.append(Diagnostic(kept[-1].path, 0, 0, "", f"and {self._left_out} more errors"))
        return JobFileError(kept, len(self._kept) + self._left_out)

    def raise_if_any(self) -> None:
        """Raise ``JobFileError`` if there are errors."""
        if self._kept:
            raise self.error()


class Findings(DiagnosticList):
    """The errors of one tree, addressed by their paths in it, which are kept in ``paths``."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.warnings: list[Diagnostic] = []
        self.paths: set[At] = set()
        self._places = places

    def at_value(self, at: At, what: str, hint: str = "") -> None:
        """Report an error in the value."""
        self.at_path(at, self._places.value(at), what, hint)

    def at_key(self, at: At, what: str, hint: str = "") -> None:
        """Report an error in the key, or in everything below it."""
        self.at_path(at, self._places.key(at), what, hint)

    def warn_at_key(self, at: At, what: str, hint: str = "") -> None:
        """Warn of a key that is allowed but probably not intended."""
        self._warn(self._places.key(at), at, what, hint)

    def warn_at_value(self, at: At, what: str, hint: str = "") -> None:
        """Warn of a value that is allowed but probably not intended."""
        self._warn(self._places.value(at), at, what, hint)

    def _warn(self, place: Place, at: At, what: str, hint: str) -> None:
        self.warnings.append(warning(place, dotted(at), what, hint))

    def at_path(self, at: At, place: Place, what: str, hint: str = "") -> None:
        """Report an error of a value at a place that is known more exactly than by its path."""
        self.paths.add(at)
        self.at_place(place, dotted(at), what, hint)

    def at_place(self, place: Place, where: str, what: str, hint: str = "") -> None:
        """Report an error at a known place."""
        self.append(diagnostic_at(place, where, what, hint))


Problem: TypeAlias = tuple[str, str]
"""A description of an error, and a hint, which may be empty."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the most similar known name, or an empty text."""
    meant = closest(name, known)
    return f"did you mean `{shown(meant)}`?" if meant else ""


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the most similar known name; one with the same letters in another order comes first."""
    names = {_plain(each): each for each in known}
    close = get_close_matches(_plain(name[:100]), list(names), n=3, cutoff=cutoff)
    found = min(close, key=lambda each: sorted(each) != sorted(name), default=None)
    return None if found is None else names[found]


def _plain(name: str) -> str:
    return name.strip().casefold().replace("-", "_")


_NUMBER = re.compile(r"[$€£]?\s*([-+]?[0-9][0-9_,]*(?:\.[0-9]+)?)\s*(?:[$€£]|USD|EUR|%)?\Z")
_THOUSANDS = re.compile(r"[-+]?[0-9_]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?\Z|[^,]*\Z")


def number_hint(value: object) -> str:
    """Return how to write a number that was written as text; an empty text for another value."""
    match = _NUMBER.match(value.strip().rstrip(" ,;")) if isinstance(value, str) else None
    if match is None:
        return ""
    text = match[1]
    if not _THOUSANDS.match(text):  # a decimal comma
        text = text.replace(",", ".")
    number = re.sub("[,_]|^0+(?=[0-9])", "", text)
    return f"write `{number}`" + (" without quotes" if number == value else "")


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
