"""Determine the encoding of a text, by rules that a user can follow.

1. A byte order mark determines it: UTF-8, UTF-16 or UTF-32.
2. NULs at every other position, of the whole or of the first letters, as ASCII has them in UTF-16: UTF-16
   without its mark.
3. What is valid UTF-8 from beginning to end is UTF-8.
4. What contains neither control characters nor bytes that Windows-1252 leaves undefined is read as
   Windows-1252.

Rules 2 and 4 guess; readers that apply them report it. Anything else is not text.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import category

from batch.files import encoding_by_mark

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = {"cp1252": "Windows-1252", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_NOT_WINDOWS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\x81\x8d\x8f\x90\x9d]")
_WIDE = {"utf-16-le": 1, "utf-16-be": 0}  # which byte of an ASCII character is NUL
_NO_TEXT_CATEGORIES = ("Cc", "Cn", "Co", "Cs")
_SAMPLE = 4096
_LEAST = 8  # bytes that are examined


class Encoding(NamedTuple):
    """Python's name of an encoding, and whether it is a guess."""

    name: str
    guessed: bool = False

    @property
    def notice(self) -> str:
        """The notice that reports a guess."""
        return f"is not UTF-8; it is read as {_NAMES[self.name]}"


NO_TEXT = "not text in a known encoding"


def encoding_of(blocks: Iterable[bytes]) -> Encoding | None:
    """Return the encoding of a text that is read in blocks, of which the first is its beginning.

    ``None``: it is not text.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_first = is_utf8 = is_windows = True
    for block in blocks:
        if is_first and (known := _by_its_beginning(block)) is not None:
            return known
        is_first = False
        is_utf8 = is_utf8 and _takes(utf8, block)
        is_windows = is_windows and _NOT_WINDOWS.search(block) is None
        if not is_utf8 and not is_windows:
            return None
    if is_utf8 and _takes(utf8, b"", final=True):
        return Encoding("utf-8")
    return Encoding("cp1252", guessed=True) if is_windows else None


def decoded(data: bytes) -> tuple[str, Encoding] | None:
    """Return a whole text and its encoding; ``None``: it is not text."""
    encoding = encoding_of([data])
    if encoding is None:
        return None
    try:
        return data.decode(encoding.name), encoding
    except UnicodeDecodeError:  # after a byte order mark of another encoding
        return None


def _takes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _by_its_beginning(block: bytes) -> Encoding | None:
    if (name := encoding_by_mark(block)) is not None:
        return Encoding(name)
    sample = block[:_SAMPLE]
    if len(sample) < _LEAST:
        return None
    low, high = sample[0::2].count(0), sample[1::2].count(0)
    if high * 4 > len(sample) and low * 50 < len(sample):
        return Encoding("utf-16-le", guessed=True)
    if low * 4 > len(sample) and high * 50 < len(sample):
        return Encoding("utf-16-be", guessed=True)
    return next((Encoding(name, guessed=True) for name in _WIDE if _begins_as(sample, name)), None)


def _begins_as(sample: bytes, name: str) -> bool:
    """Return whether a text begins with ASCII in this form of UTF-16, as a header does, followed by text."""
    start = sample[:_LEAST]
    if start[_WIDE[name] :: 2].strip(b"\0") or 0 in start[1 - _WIDE[name] :: 2]:
        return False
    try:
        text = codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeDecodeError:
        return False
    return all(char in "\t\r\n" or category(char) not in _NO_TEXT_CATEGORIES for char in text)
