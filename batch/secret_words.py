"""The words that show a secret: in the name of a header or a variable, and in a line that is not repeated."""

from __future__ import annotations

import re

_WORDS = "auth|api.?key|cookie|token|secret|passw|credential"
_NAME = re.compile(_WORDS, re.IGNORECASE)
# `max_tokens` and `tokens: 2000` are numbers of tokens.
_COUNT = r"""(?:(?<=max_)tokens|tokens(?=["']?\s*[:= ]\s*-?[0-9]{1,9}\b))"""
_LINE = re.compile(rf"(?!{_COUNT})(?:{_WORDS})|://\S*@|\bsk-", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Return whether what has this name is a secret, whatever its value."""
    return _NAME.search(name) is not None


def may_hold_secret(line: str) -> bool:
    """Return whether a line of a job file may hold a secret, so that it must not be repeated."""
    return _LINE.search(line) is not None
