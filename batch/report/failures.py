"""Groups failed requests by their code and the form of their message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.failure_codes import failure_code, retry_may_help
from batch.report.model import FailureGroup

if TYPE_CHECKING:
    from batch.records import ResultError

MAX_GROUPS = 500
"""Groups that are kept; further messages of a code are one group."""

MAX_IDS = 12
"""Ids of a group that are listed."""

_LONGEST = 400
_VARIABLE = re.compile(
    r"""
    "[^"\n]*" | '[^'\n]*' | `[^`\n]*`           # quoted text
    | [0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}
    | \b(?=\w*[0-9])[0-9a-zA-Z_]{12,}\b         # ids of requests and hashes
    | [0-9]+(?:[.,:][0-9]+)*                    # numbers and times
    """,
    re.VERBOSE,
)


def normalized(message: str) -> str:
    """Return the message with ``…`` for numbers, ids and quoted text, which differ between requests."""
    return _VARIABLE.sub("…", message[:_LONGEST])


class _Group:
    def __init__(self, example: str) -> None:
        self.example = example
        self.count = 0
        self.ids: list[tuple[int, str]] = []


class Failures:
    """Counts failures in bounded memory. Without ``has_text``, messages are ignored: they may quote texts."""

    def __init__(self, *, has_text: bool = True) -> None:
        self._has_text = has_text
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, output: int, request_id: str, error: ResultError) -> None:
        """Count one failed request."""
        message = error.message if self._has_text else ""
        key = (error.code, normalized(message))
        if key not in self._groups and len(self._groups) >= MAX_GROUPS:
            key = (error.code, "")
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(message[:_LONGEST])
        group.count += 1
        if len(group.ids) < MAX_IDS:
            group.ids.append((output, request_id))

    def groups(self) -> list[FailureGroup]:
        """Return the groups, the largest first."""
        return [
            FailureGroup(code, group.count, group.example, group.ids, _meaning(code), _advice(code))
            for (code, _), group in sorted(self._groups.items(), key=lambda item: -item[1].count)
        ]


def _meaning(code: str) -> str:
    return failure_code(code).meaning.replace("`", "")


def _advice(code: str) -> str:
    """Return what to do about a code."""
    if retry_may_help(code):
        return "promptjobs retry sends these requests again."
    return "A retry fails in the same way: change the request, its row or the job first."
