"""The messages to and from the checking process."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

SECONDS = 5
"""Maximum CPU time of one check, in seconds."""

MEMORY = 512 * 1024 * 1024
"""Maximum bytes of memory of the checking process beyond its memory at the start."""


class CheckRequest(Struct, frozen=True):
    """A check of an ``answer`` (``text`` by ``response_format``) or of a ``format`` (``response_format``).

    ``response_format`` is JSON. ``text`` is UTF-8, in which lone surrogates are encoded too.
    """

    kind: Literal["answer", "format"]
    response_format: bytes
    text: bytes = b""


class CheckResult(Struct, frozen=True):
    """The result of a check. ``problem`` says what is invalid, empty if nothing is; ``hint`` what to do.

    ``is_judged`` is ``False`` if the check did not finish: too much time or memory, or an exception.
    """

    problem: str = ""
    hint: str = ""
    is_judged: bool = True


def unfinished(why: str) -> CheckResult:
    """Return the result of a check that did not finish."""
    return CheckResult(why, is_judged=False)
