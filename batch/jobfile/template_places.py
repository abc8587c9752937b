"""Find the place of a part of a template in the file that it is written in.

YAML folds lines and removes quotes, escapes and indentation, but never changes the ``{{``, ``{%`` and ``{#``
that begin a template's tags. So a tag is found by its number, and a word by its number within the tag.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.diagnostics import Place

TYPOGRAPHIC = tuple("“”„‘’‚«»")
"""Quotation marks of text processors, which neither YAML nor a template knows."""

_OPENING = re.compile(r"\{[{%#]")
_TAG = re.compile(r"\{([{%]).*?(?:[}%]\}|\Z)", re.DOTALL)
_WORD = re.compile(r"\w+|.", re.DOTALL)


def is_template(text: str) -> bool:
    """Return whether a text has a tag, or single braces."""
    return "{" in text


def tags(text: str) -> Iterator[tuple[int, str]]:
    """Yield the expressions and statements of a template with their offsets."""
    for match in _TAG.finditer(text):
        yield match.start(), match[0]


def offset_of_name(text: str, name: str) -> int | None:
    """Return where a template first uses a variable or a key; ``None`` if that is not found."""
    word = re.escape(name)
    for pattern in (rf"(?<![\w.'\"]){word}(?!\w)", rf"(?<!\w){word}(?!\w)"):
        for start, tag in tags(text):
            if found := re.search(pattern, tag):
                return start + found.start()
    return None


def offset_of_line(text: str, line: int) -> int:
    """Return the first tag that ends on a line (from 1) or later, or 0."""
    before = sum(len(each) + 1 for each in text.split("\n")[: line - 1])
    return next((start for start, tag in tags(text) if start + len(tag) > before), 0)


def place_in(place: Place, text: str, offset: int) -> Place:
    """Return the place of a character of the template at ``place``, or ``place`` itself if unknown."""
    if place.raw == text:  # a template in a file of its own
        return place.within(offset)
    starts = [match.start() for match in _OPENING.finditer(text)]
    raw_starts = [match.start() for match in _OPENING.finditer(place.raw)]
    number = bisect_right(starts, offset) - 1
    if len(starts) != len(raw_starts):
        return place
    start, raw_start = (starts[number], raw_starts[number]) if number >= 0 else (0, 0)
    if start == offset:
        return place.within(raw_start) if number >= 0 else place
    match = _WORD.match(text, offset)
    word = match[0] if match else ""
    earlier = len(re.findall(_exactly(word), text[start:offset]))
    found = [each.start() for each in re.finditer(_exactly(word), place.raw[raw_start:])]
    return place.within(raw_start + found[earlier]) if word and earlier < len(found) else place


def _exactly(word: str) -> str:
    return rf"(?<!\w){re.escape(word)}(?!\w)" if word.isalnum() else re.escape(word)
