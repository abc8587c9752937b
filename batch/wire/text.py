"""Joins the text of a reply from its deltas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.codec import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable

JOIN_FROM = 64
"""Number of parts of a text from which joining them is worthwhile."""

_OPENING, _CLOSING = "<think>", "</think>"
_REST_OF_LINE = re.compile(r"[ \t\r]*(?:\n|\Z)")
_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})", re.MULTILINE)
_THINKING = re.compile(r"\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)


def join(parts: Iterable[str]) -> str:
    """Return the parts as one text; a surrogate pair across deltas is joined, a lone half becomes U+FFFD."""
    return well_formed("".join(parts))


def split_thinking(text: str) -> tuple[str, str | None]:
    """Return the text and the reasoning before it.

    The text opens with ``<think>…</think>``, closed or not. Or only the closing tag arrives, since the
    server's template contains the opening one: then the first such tag must end its line, outside a code
    block.
    """
    thinking = _THINKING.match(text)
    if thinking is not None:
        return text[thinking.end() :], thinking[1].strip()
    before, tag, after = text.partition(_CLOSING)
    if not tag or _OPENING in before or _REST_OF_LINE.match(after) is None or _is_in_code_block(before):
        return text, None
    return after.lstrip(), before.strip()


def _is_in_code_block(before: str) -> bool:
    """Whether a code fence is open at the end of the text."""
    fence = ""
    for found in _FENCE.finditer(before):
        mark = found[1]
        if not fence:
            fence = mark
        elif mark[0] == fence[0] and len(mark) >= len(fence):
            fence = ""
    return bool(fence)


def condense(parts: list[str]) -> None:
    """Join many short parts into one, since each part takes more memory for itself than for its text.

    Call it now and then: it joins only if there are enough parts, so that long texts are not copied each
    time.
    """
    if len(parts) >= JOIN_FROM and len(parts) >= len(parts[0]) // JOIN_FROM:
        parts[:] = ["".join(parts)]


class DeltaJoiner:
    """Passes on a text as it arrives, buffering a surrogate half until its partner has arrived."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, part: str) -> str:
        """Return the part of the text that can be shown already."""
        part = self._half + part
        self._half = part[-1] if part and "\ud800" <= part[-1] <= "\udbff" else ""
        return join([part[: len(part) - len(self._half)]])

    def close(self) -> str:
        """Return what was buffered and never completed."""
        return join([self._half])
