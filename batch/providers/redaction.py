"""Redaction of secrets in server responses, in all forms in which servers echo them.

A secret is found unchanged, in another case, in hexadecimal, in base64 (both alphabets, at each of the three
alignments), and behind escapes: of URLs, of JSON and Python, of HTML, and of Markdown, several levels deep.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Span = tuple[int, int]

MARK = "…"
"""The replacement of a secret."""

LONG = 16
"""Length from which a secret cannot be an ordinary word of an answer."""

MIXED = 8
"""The same length for a secret with letters and digits."""

_PROBE = 12
"""Length of the part of a form that is searched first: a short rare string is found faster."""

_COMMON = "etaoinshrdlcumwfgypbvk"
"""The most frequent letters of prose, in order."""

_WIDEST = 36
"""Maximum characters of a doubly escaped character of a secret."""

_LEVELS = 4
"""Number of escape levels in which a secret is searched."""

# Each alternative begins with one character set, which the regex engine searches several times faster. A run
# of backslashes is matched once, from its beginning, whatever follows it.
_CODE = (
    r"[%\\&](?:(?<=%)([0-9a-f]{2})"
    r"|(?<=\\)(?<!\\\\)\\*+(?:u(0000[0-9a-f]{4}|[0-9a-f]{4})|x([0-9a-f]{2})|u\{([0-9a-f]{1,6})\})"
    r"|(?<=&)(#[0-9]{1,7};|#x[0-9a-f]{1,6};|[a-z][a-z0-9]{1,31};)"
)
_CODED = re.compile(_CODE + ")", re.IGNORECASE)
_ESCAPE = re.compile(_CODE + r"|(?<=\\)\\*+)", re.IGNORECASE)
_PARTIAL_ESCAPE = re.compile(
    r"(?:%[0-9a-f]?|\\+(?:[ux]\{?[0-9a-f]{0,7})?|&#?[0-9a-z]{0,31})\Z", re.IGNORECASE
)
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


class Form(Struct, frozen=True):
    """One form of a secret, in lower case. ``margin``: adjacent characters that have bits of the secret."""

    text: str
    margin: int = 0


def _probe(form: str) -> str:
    """Return the part of a form that is rarest in prose."""
    windows = [form[at : at + _PROBE] for at in range(max(1, len(form) - _PROBE + 1))]
    return min(
        windows, key=lambda window: sum(len(_COMMON) - _COMMON.find(c) for c in window if c in _COMMON)
    )


def is_distinctive(secret: str) -> bool:
    """Whether a secret cannot be an ordinary word: private servers often have a key such as ``ollama``."""
    is_mixed = any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))
    return len(secret) >= LONG or (len(secret) >= MIXED and is_mixed)


def forms_of(secret: str) -> list[Form]:
    """Return the forms of a secret, without escapes."""
    raw = secret.encode()
    plain = {_lower(secret), _lower(raw.decode("latin-1")), raw.hex()}
    encoded = {_lower(core) for encode in (b64encode, urlsafe_b64encode) for core in _cores(raw, encode)}
    return [*map(Form, sorted(plain)), *(Form(core, 3) for core in sorted(encoded))]


def _cores(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """Yield the base64 of the bytes at each alignment, without the ends, which depend on adjacent bytes."""
    for before in range(3):
        text = encode(bytes(before) + raw).decode().rstrip("=")
        whole = (before + len(raw)) * 8 // 6
        yield text[(before * 8 + 5) // 6 : whole]


class Secrets:
    """Finds secrets in texts. ``values`` are those that are not ordinary words (``is_distinctive``)."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form.text: form for value in values for form in forms_of(value)}
        self._forms = tuple(forms.values())
        self._longest = max(map(len, forms), default=0)
        self._probes = tuple({_probe(form).encode() for form in forms})

    def __bool__(self) -> bool:
        return bool(self._forms)

    def may_be_in(self, text: str) -> bool:
        """Whether the text may contain a secret. Fast if it does not, which is the common case."""
        lower = text.encode("utf-8", "surrogatepass").lower()  # on bytes, which is ten times faster
        for probe in self._probes:
            if probe in lower:
                return True
        if b"\\" in lower:
            bare = lower.replace(b"\\", b"")
            if any(probe in bare for probe in self._probes):
                return True
        elif b"%" not in lower and b"&" not in lower:
            return False
        return self._may_be_escaped(text)

    def _may_be_escaped(self, text: str) -> bool:
        for _ in range(_LEVELS):
            bare = _CODED.sub(_unescaped_char, text)
            if bare == text:
                return False
            text = bare
            lower = text.replace("\\", "").encode("utf-8", "surrogatepass").lower()
            if any(probe in lower for probe in self._probes):
                return True
        return True  # several levels of escapes, which no model writes

    def spans(self, text: str) -> list[Span]:
        """Return the spans of secrets in the text; spans may overlap."""
        found: list[Span] = []
        for level in _levels(text):
            for form in self._forms:
                found += level.find(form)
        return found

    def end_span(self, text: str, shortest: int) -> Span | None:
        """Return the span of a partial secret of at least ``shortest`` characters at the end of the text."""
        offset = max(0, len(text) - self._longest * _WIDEST)  # the maximum length of a whole secret
        tail = text[offset:]
        whole = (
            tail[: partial.start()]
            if (partial := _PARTIAL_ESCAPE.search(tail, len(tail) - _WIDEST))
            else tail
        )
        starts = [
            start for level in _levels(whole) if (start := self._beginning(level, shortest)) is not None
        ]
        return (offset + min(starts), len(text)) if starts else None

    def _beginning(self, level: _Level, shortest: int) -> int | None:
        longest = 0
        for form in self._forms:
            for length in range(min(len(form.text), len(level.text)), max(longest, shortest - 1), -1):
                if level.text.endswith(form.text[:length]):
                    longest = length
                    break
        return level.starts[len(level.text) - longest] if longest else None


class _Level(Struct, frozen=True):
    """A text with a number of escape levels removed, in lower case, with the origin of each character.

    ``source`` is the original.
    """

    source: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def find(self, form: Form) -> Iterator[Span]:
        """Yield the spans of a form in the original."""
        at = self.text.find(form.text)
        while at >= 0:
            end = at + len(form.text)
            yield self._widened(self.starts[at], self.ends[end - 1], form.margin)
            at = self.text.find(form.text, at + 1)

    def _widened(self, start: int, end: int, margin: int) -> Span:
        first, last = max(0, start - margin), min(len(self.source), end + margin)
        while start > first and self.source[start - 1] in _BASE64:
            start -= 1
        while end < last and self.source[end] in _BASE64:
            end += 1
        return start, end

    def unescaped(self) -> _Level | None:
        """Return the text with one more level removed; ``None`` if there is none."""
        text: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        after = 0
        for match in _ESCAPE.finditer(self.text):
            text.append(self.text[after : match.start()])
            starts += self.starts[after : match.start()]
            ends += self.ends[after : match.start()]
            after = match.end()
            for character in _lower(_unescaped_char(match)):
                text.append(character)
                starts.append(self.starts[match.start()])
                ends.append(self.ends[match.end() - 1])
        if not after:
            return None
        starts += self.starts[after:]
        ends += self.ends[after:]
        return _Level(self.source, "".join([*text, self.text[after:]]), starts, ends)


def _levels(text: str) -> Iterator[_Level]:
    level: _Level | None = _Level(text, _lower(text), range(len(text)), range(1, len(text) + 1))
    for _ in range(_LEVELS):
        if level is None:
            return
        yield level
        level = level.unescaped()


def _unescaped_char(match: re.Match[str]) -> str:
    """Return the character of an escape; a backslash before another character is removed."""
    if match[5]:
        return html.unescape(f"&{match[5]}")
    digits = match[match.lastindex] if match.lastindex else ""
    code = int(digits, 16) if digits else 0
    return chr(code) if 0 < code <= 0x10FFFF else ""


def _lower(text: str) -> str:
    """Return the text in lower case, with unchanged length."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def without(text: str, spans: Iterable[Span]) -> str:
    """Return the text with a mark in place of each span."""
    parts: list[str] = []
    after = 0
    for start, end in sorted(spans):
        if start > after or not parts:
            parts += [text[after:start], MARK]
        after = max(after, end)
    return "".join([*parts, text[after:]])
