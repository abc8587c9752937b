"""Putting a reply's text together from what the deltas carried."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MANY = 64
"""Parts of a text that are worth joining."""

_THINKING = re.compile(r"\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)


def join(parts: Iterable[str]) -> str:
    """The parts as one text, surrogate halves from two deltas joined, one without its partner as U+FFFD."""
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def split_thinking(text: str) -> tuple[str, str | None]:
    """The text and the reasoning that it opens with as ``<think>…</think>``, closed or not."""
    thinking = _THINKING.match(text)
    if thinking is None:
        return text, None
    return text[thinking.end() :], thinking[1].strip()


def condense(parts: list[str]) -> None:
    """Make one part of many short ones, of which each takes more memory for itself than for what it says.

    To be called now and then: it waits until there are enough, so that long texts are not copied each time.
    """
    if len(parts) >= MANY and len(parts) >= len(parts[0]) // MANY:
        parts[:] = ["".join(parts)]


class DeltaJoiner:
    """Hands a text on as it comes, holding back a surrogate half until its partner has arrived."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, part: str) -> str:
        """The part, as far as it can be shown already."""
        part = self._half + part
        self._half = part[-1] if part and "\ud800" <= part[-1] <= "\udbff" else ""
        return join([part[: len(part) - len(self._half)]])

    def close(self) -> str:
        """What was held back and never completed."""
        return join([self._half])
