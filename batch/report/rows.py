"""One request as a row of the table, and as the texts that are shown when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, to_builtins

from batch.codec import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch.records import JSONObject, Result, Usage
    from batch.report.model import Entry

WORDS = 120
"""Characters of the first words of an answer."""

FEW_WORDS = 64
"""The same where there are many rows."""

SHORT = 48
"""Characters of a kept column in the table."""

_FEW_SPACES = 16
"""Characters of white space that a text rarely has in its first words, besides single spaces."""

_TEXTS = ("text", "partial_text", "reasoning", "tool_calls", "refusal", "logprobs")
_OTHERS = ("finish_reason", "served_by", "attempts", "completed_at", "cost_source", "redacted")
_TEXTS_AND_OTHERS = (*_TEXTS, *_OTHERS)


def first_words(entry: Entry, limit: int = WORDS) -> str:
    """Return the beginning of the answer, or of the error message, on one line."""
    result = entry.result
    if result is None:
        return ""
    if result.error is not None and entry.status == "failed":
        text = result.error.message
    else:
        text = result.text or result.refusal or result.partial_text or _calls(result)
    return one_line(text, limit)


def _calls(result: Result) -> str:
    return encode_json(result.tool_calls).decode() if result.tool_calls else ""


def one_line(text: str, limit: int) -> str:
    """Return the beginning of a text, with single spaces for white space."""
    line = " ".join(text[: limit + _FEW_SPACES].split())
    if len(line) <= limit < len(text):  # there was more white space than usual
        line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def kept(request_id: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the kept columns as short texts, without those that say the same as the id."""
    return {
        name: short
        for name, value in metadata.items()
        if (short := _short(value)) and not short.endswith(request_id)
    }


def _short(value: Any) -> str:
    if value is None:
        return ""
    return one_line(value if isinstance(value, str) else encode_json(value).decode(), SHORT)


def texts(entry: Entry, images: Images) -> JSONObject:
    """Return all that is shown of an opened row, without what is empty."""
    shown: JSONObject = {}
    if entry.messages is not None:
        shown["messages"] = [images.message(message) for message in entry.messages]
        shown["rendered"] = entry.rendered
    if entry.stale:
        shown["stale"] = True
    return shown | details(entry, has_text=True) if shown else details(entry, has_text=True)


def details(entry: Entry, *, has_text: bool) -> JSONObject:
    """Return what is shown of a result besides its messages; without texts, only numbers and codes."""
    result = entry.result
    if result is None:
        return {}
    shown: JSONObject = {}
    for name in _TEXTS_AND_OTHERS if has_text else _OTHERS:
        if value := getattr(result, name):
            shown[name] = value
    if has_text and result.parsed is not None:
        shown["parsed"] = result.parsed
    if queued := result.timings.queued:
        shown["queued"] = round(queued, 2)
    if first_byte := result.timings.first_byte:
        shown["first_byte"] = round(first_byte, 2)
    if result.usage is not None and _has_details(result.usage):
        shown["usage"] = to_builtins(result.usage)
    if has_text and result.metadata:
        shown["metadata"] = result.metadata
    if result.error is not None:
        shown["error"] = _error(result, has_text=has_text)
    return shown


def _has_details(usage: Usage) -> bool:
    """Whether the server reported more than the counts that are in the table."""
    return not (usage.cached_tokens is usage.cache_write_tokens is usage.reasoning_tokens is UNSET)


def _error(result: Result, *, has_text: bool) -> JSONObject:
    error: JSONObject = to_builtins(result.error)
    if not has_text:
        del error["message"]
        error["history"] = [{"code": each["code"], "at": each["at"]} for each in error["history"]]
    return error


class Images:
    """Keeps images inside messages up to a total size, and replaces the others by their type and size."""

    def __init__(self, budget: int, largest: int) -> None:
        self._budget = budget
        self._largest = largest

    def message(self, message: JSONObject) -> JSONObject:
        """Return a message with at most the images that still fit."""
        content = message.get("content")
        if not isinstance(content, list):
            return message
        return {**message, "content": [self._part(part) for part in content]}

    def _part(self, part: Any) -> Any:
        match part:
            case {"type": "image_url", "image_url": {"url": str(url)}} if url.startswith("data:"):
                return part if self._fits(len(url)) else {"type": "text", "text": _described(url)}
            case _:
                return part

    def _fits(self, size: int) -> bool:
        if size > min(self._largest, self._budget):
            return False
        self._budget -= size
        return True


def _described(url: str) -> str:
    kind, _, data = url.partition(";base64,")
    return f"[image: {kind.removeprefix('data:')[:40]}, {len(data) * 3 // 4} bytes, too large for this page]"
