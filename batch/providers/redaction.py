"""Secrets found in what a server says, in the forms in which servers echo them.

A secret is found as it is, in another case, in hexadecimal, in base64 (both alphabets, at each of the three
alignments), and behind escapes: of URLs, of JSON and Python, of HTML, and of Markdown, several deep.
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
"""What stands in place of a secret."""

LONG = 16
"""Characters from which on a secret can be no word of an answer."""

MIXED = 8
"""The same for one of letters and digits."""

_PROBE = 12
"""Characters of a form by which a text is searched first: what is short and rare in prose is found faster."""

_COMMON = "etaoinshrdlcumwfgypbvk"
"""Letters of prose, the most frequent first."""

_WIDEST = 36
"""Characters that an escape, and one of that, may take for one character of a secret."""

_LEVELS = 4
"""How many escapes deep a secret is looked for."""

# Each begins with one set of characters, for which the engine looks several times faster; and a run of
# backslashes is looked at once, from its beginning, whatever follows it.
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
    """One form of a secret, in lower case. ``margin``: characters around it that hold bits of the secret."""

    text: str
    margin: int = 0


def _probe(form: str) -> str:
    """The part of a form that is the least like prose."""
    windows = [form[at : at + _PROBE] for at in range(max(1, len(form) - _PROBE + 1))]
    return min(
        windows, key=lambda window: sum(len(_COMMON) - _COMMON.find(c) for c in window if c in _COMMON)
    )


def is_telling(secret: str) -> bool:
    """Whether a secret can be no word of an answer: servers of one's own often take ``ollama`` for a key."""
    is_mixed = any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))
    return len(secret) >= LONG or (len(secret) >= MIXED and is_mixed)


def forms_of(secret: str) -> list[Form]:
    """The forms of a secret, but for escapes."""
    raw = secret.encode()
    plain = {_lower(secret), _lower(raw.decode("latin-1")), raw.hex()}
    encoded = {_lower(core) for encode in (b64encode, urlsafe_b64encode) for core in _cores(raw, encode)}
    return [*map(Form, sorted(plain)), *(Form(core, 3) for core in sorted(encoded))]


def _cores(raw: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """What base64 makes of the bytes at each alignment, without the ends, which their neighbours shape."""
    for before in range(3):
        text = encode(bytes(before) + raw).decode().rstrip("=")
        whole = (before + len(raw)) * 8 // 6
        yield text[(before * 8 + 5) // 6 : whole]


class Secrets:
    """Finds some secrets in texts. ``values`` are those that are no words (``is_telling``)."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form.text: form for value in values for form in forms_of(value)}
        self._forms = tuple(forms.values())
        self._longest = max(map(len, forms), default=0)
        self._probes = tuple({_probe(form).encode() for form in forms})

    def __bool__(self) -> bool:
        return bool(self._forms)

    def may_be_in(self, text: str) -> bool:
        """Whether it is worth while to look for ``spans``. Quick where it is not, as in nearly all texts."""
        lower = text.encode("utf-8", "surrogatepass").lower()  # of bytes, which is ten times faster
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
            bare = _CODED.sub(_meant, text)
            if bare == text:
                return False
            text = bare
            lower = text.replace("\\", "").encode("utf-8", "surrogatepass").lower()
            if any(probe in lower for probe in self._probes):
                return True
        return True  # escapes of escapes of escapes: nothing that a model writes

    def spans(self, text: str) -> list[Span]:
        """Where secrets are in the text; spans may overlap."""
        found: list[Span] = []
        for level in _levels(text):
            for form in self._forms:
                found += level.find(form)
        return found

    def end_span(self, text: str, shortest: int) -> Span | None:
        """Where the text ends in the beginning of a secret, of at least ``shortest`` characters."""
        offset = max(0, len(text) - self._longest * _WIDEST)  # what a whole secret can take, and no more
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
    """A text without so many levels of escapes, in lower case, and where each character came from.

    ``source`` is the original.
    """

    source: str
    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def find(self, form: Form) -> Iterator[Span]:
        """Where a form is in the original."""
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
        """The same with one level less; ``None`` where there is none."""
        text: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        after = 0
        for match in _ESCAPE.finditer(self.text):
            text.append(self.text[after : match.start()])
            starts += self.starts[after : match.start()]
            ends += self.ends[after : match.start()]
            after = match.end()
            for character in _lower(_meant(match)):
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


def _meant(match: re.Match[str]) -> str:
    """What an escape stands for; a backslash before anything else stands for nothing."""
    if match[5]:
        return html.unescape(f"&{match[5]}")
    digits = match[match.lastindex] if match.lastindex else ""
    code = int(digits, 16) if digits else 0
    return chr(code) if 0 < code <= 0x10FFFF else ""


def _lower(text: str) -> str:
    """The text in lower case, as long as it was."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def without(text: str, spans: Iterable[Span]) -> str:
    """The text with a mark in place of each span."""
    parts: list[str] = []
    after = 0
    for start, end in sorted(spans):
        if start > after or not parts:
            parts += [text[after:start], MARK]
        after = max(after, end)
    return "".join([*parts, text[after:]])
