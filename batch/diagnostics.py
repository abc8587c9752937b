"""Where things were written: the places of a tree's values, and the mistakes found in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from batch.errors import JobFileError, Mistake
from batch.escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

At: TypeAlias = tuple[str | int, ...]
"""The way from the root of a tree to one of its values: keys and list positions."""

MOST_MISTAKES = 100
"""More than anyone reads. What comes after is counted."""

_PLAIN_KEY = re.compile(r"[\w-][\w.-]*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a file, both from 1; 0 where there is no line, as in a flag.

    ``body`` is the line on which a literal block's own first line stands; 0 where the lines of the text
    are not the lines of the file.
    """

    path: str
    line: int = 0
    column: int = 0
    body: int = 0

    def at_text_line(self, number: int) -> Place:
        """The place of the text's line ``number`` (from 1), as near as the file's layout tells."""
        if self.body:
            return Place(self.path, self.body + number - 1, 1)
        return self


@dataclass(slots=True)
class Places:
    """The places of a tree's values and of the keys under which they stand."""

    root: Place
    values: dict[At, Place] = field(default_factory=dict)
    keys: dict[At, Place] = field(default_factory=dict)

    def value(self, at: At) -> Place:
        """The place of the value, or of the nearest value around it."""
        return _nearest(self.values, at) or self.root

    def key(self, at: At) -> Place:
        """The place of the value's key, or of the nearest key around it."""
        return self.keys.get(at) or self.values.get(at) or _nearest(self.keys, at) or self.root


def _nearest(places: dict[At, Place], at: At) -> Place | None:
    for length in range(len(at), -1, -1):
        if (place := places.get(at[:length])) is not None:
            return place
    return None


def dotted(at: At) -> str:
    """The way as people write it: ``models[1].params.temperature``."""
    text = ""
    for step in at:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + shown(step)
    return text


def shown(key: str) -> str:
    """A key fit to be shown: as it stands where it is plain, else quoted, escaped and cut.

    Letters of every script stay, since people look for the names that they have written.
    """
    if _PLAIN_KEY.match(key) and len(key) <= 60:
        return key
    return escape(json.dumps(key if len(key) <= 60 else key[:60] + "…", ensure_ascii=False), limit=1000)


class MistakeList:
    """Collects mistakes, and keeps the first ``MOST_MISTAKES`` of them."""

    def __init__(self) -> None:
        self._kept: list[Mistake] = []
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._kept)

    def append(self, mistake: Mistake) -> None:
        """Keep the mistake, or only count it where there are too many already."""
        if len(self._kept) < MOST_MISTAKES:
            self._kept.append(mistake)
        else:
            self._left_out += 1

    def extend(self, mistakes: list[Mistake] | tuple[Mistake, ...]) -> None:
        """Keep them all, within the limit."""
        for mistake in mistakes:
            self.append(mistake)

    def error(self, notices: Sequence[str] = ()) -> JobFileError:
        """All that was kept, those with a line first and by line, and how many more there were."""
        first_seen = {path: rank for rank, path in enumerate(dict.fromkeys(m.path for m in self._kept))}
        kept = sorted(self._kept, key=lambda m: (m.line == 0, first_seen[m.path], m.line, m.column))
        if self._left_out:
            kept.append(Mistake(kept[-1].path, 0, 0, "", f"and {self._left_out} more mistakes"))
        return JobFileError(kept, len(self._kept) + self._left_out, notices)

    def raise_if_any(self) -> None:
        """Raise ``JobFileError`` with all that was kept, if anything was."""
        if self._kept:
            raise self.error()


class Findings(MistakeList):
    """The mistakes of one tree, named by where they stand in it."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.notices: list[str] = []
        self._places = places

    def at_value(self, at: At, what: str, hint: str = "") -> None:
        """The value is wrong."""
        self.at_place(self._places.value(at), dotted(at), what, hint)

    def at_key(self, at: At, what: str, hint: str = "") -> None:
        """The key is wrong, or something about all that stands under it."""
        self.at_place(self._places.key(at), dotted(at), what, hint)

    def notice_at_key(self, at: At, what: str) -> None:
        """Keep a sentence about a key that is probably not what is meant, though it is no error."""
        place = self._places.key(at)
        self.notices.append(str(Mistake(place.path, place.line, place.column, dotted(at), what)))

    def at_place(self, place: Place, where: str, what: str, hint: str = "") -> None:
        """Something is wrong at a place that is already known."""
        self.append(Mistake(place.path, place.line, place.column, where, what, hint))


Complaint: TypeAlias = tuple[str, str]
"""What is wrong, and a hint, which may be empty."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint with the name that was probably meant, or nothing."""
    meant = closest(name, known)
    return f"did you mean `{shown(meant)}`?" if meant else ""


def closest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like ``name``: first one of the same letters in another order."""
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
    """What a value is, in a person's words. Never the value itself: it may be a secret."""
    other = "nothing" if value is None else "a value of another kind"
    return next((words for form, words in _KINDS if isinstance(value, form)), other)
