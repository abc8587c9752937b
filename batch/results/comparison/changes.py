"""What has changed from one result of a request to another one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from batch.codec import encode_json
from batch.results.comparison.field_changes import is_same

if TYPE_CHECKING:
    from batch.records import Result


class Change(StrEnum):
    """What has become of a request. The order is that of a listing: the worst first."""

    NOW_FAILING = "now_failing"
    NOW_SUCCEEDING = "now_succeeding"
    CHANGED = "changed"
    """Both have an answer and these differ, or both have failed, with different error codes."""
    REMOVED = "removed"
    ADDED = "added"
    SAME = "same"

    @property
    def words(self) -> str:
        """The change as people read it: ``now failing``."""
        return self.value.replace("_", " ")


DIFFERENCES = tuple(change for change in Change if change is not Change.SAME)
"""All changes that make two outputs differ."""

CIRCUMSTANCES = ("model", "served_by", "verdict", "finish_reason")
"""Fields that may differ although the answer is the same."""


def change_of(before: Result | None, after: Result | None) -> Change:
    """Return the change from one result to another, at most one of which is ``None``: there is no line."""
    if before is None or after is None:
        return Change.ADDED if before is None else Change.REMOVED
    if before.status != after.status:
        return Change.NOW_FAILING if after.status == "failed" else Change.NOW_SUCCEEDING
    if after.status == "failed":
        return Change.SAME if code_of(before) == code_of(after) else Change.CHANGED
    return Change.SAME if _is_same_answer(before, after) else Change.CHANGED


def circumstances(before: Result, after: Result) -> tuple[str, ...]:
    """Return the names of the other fields that differ."""
    return tuple(name for name in CIRCUMSTANCES if getattr(before, name) != getattr(after, name))


def answer_of(result: Result) -> str:
    """Return the text of an answer: its words, or else its refusal, or else its tool calls as JSON."""
    return result.text or result.refusal or _calls(result)


def are_parsed(before: Result, after: Result) -> bool:
    """Return whether both answers are structured, so that they are compared by value."""
    return before.parsed is not None and after.parsed is not None


def code_of(result: Result) -> str:
    """Return the error code of a result; empty if it succeeded."""
    return result.error.code if result.error is not None else ""


def _is_same_answer(before: Result, after: Result) -> bool:
    if are_parsed(before, after):
        return is_same(before.parsed, after.parsed)
    return _answer(before) == _answer(after)


def _answer(result: Result) -> tuple[str, str, str]:
    return result.text or "", result.refusal or "", _calls(result)


def _calls(result: Result) -> str:
    """Return the tool calls as JSON, without their ids: these are random."""
    if not result.tool_calls:
        return ""
    calls: list[dict[str, Any]] = [
        {name: value for name, value in call.items() if name != "id"} for call in result.tool_calls
    ]
    return encode_json(calls).decode()
