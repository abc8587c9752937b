"""What the checking process is asked, and what it says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

SECONDS = 5
"""Time of the processor that one check may take."""

MEMORY = 512 * 1024 * 1024
"""Bytes that the checking process may have beyond those that it has at its start."""


class CheckRequest(Struct, frozen=True):
    """A check. An ``answer`` is ``text``, to be judged by ``response_format``; a ``format`` is that itself.

    ``response_format`` is JSON. ``text`` is UTF-8, where lone surrogates stand as if they had a form in it.
    """

    kind: Literal["answer", "format"]
    response_format: bytes
    text: bytes = b""


class CheckResult(Struct, frozen=True):
    """The result of a check. ``complaint`` says what is wrong, empty where nothing is; ``hint`` what to do.

    ``is_judged`` is ``False`` where the check came to no end: too much time or memory, or an exception.
    """

    complaint: str = ""
    hint: str = ""
    is_judged: bool = True


def unfinished(why: str) -> CheckResult:
    """A check that came to no end."""
    return CheckResult(why, is_judged=False)
