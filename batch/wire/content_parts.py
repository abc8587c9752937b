"""Content that is a list of parts: separates text, reasoning and refusal."""

from __future__ import annotations

from typing import Any

_REASONING = frozenset({"thinking", "reasoning", "thought", "reasoning_text", "summary_text"})
_POSSIBLE_TEXT_KEYS = ("content", "value", "output_text")
"""Keys under which a part of an unknown form may contain output."""


class NotTextError(ValueError):
    """A part of the output cannot be read."""


def text_and_reasoning(parts: list[Any]) -> tuple[str | None, str | None, str | None]:
    """Return the text, the reasoning and the refusal of a list of parts; ``None`` for a missing one.

    A part's ``text`` is text, whatever the type of the part, except for the types of reasoning. Parts without
    output, such as references and images, are ignored. Raises ``NotTextError`` if output would be lost.
    """
    text: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict):
            is_reasoning = _type(part) in _REASONING
            (reasoning if is_reasoning else text).append(_words(part, "text", is_reasoning=is_reasoning))
            reasoning.append(_words(part, "thinking", is_reasoning=True))
            refusal.append(_words(part, "refusal", is_reasoning=False))
            _check_read(part)
        elif part is not None:
            raise NotTextError("a part is neither a string nor an object")
    return "".join(text) or None, "".join(reasoning) or None, "".join(refusal) or None


def _type(part: dict[str, Any]) -> str:
    """Return the type of a part. An unknown type is allowed; a type that is not a string is an error."""
    kind = part.get("type")
    if kind and not isinstance(kind, str):
        raise NotTextError("`type` of a part is not a string")
    return kind or ""


def _words(part: dict[str, Any], name: str, *, is_reasoning: bool) -> str:
    """Return a text of a part; only reasoning can be a list of texts."""
    words = part.get(name)
    if is_reasoning and isinstance(words, list):
        return "".join(_inner(item) for item in words)
    if words is not None and not isinstance(words, str):
        raise NotTextError(f"`{name}` of a part is not a string")
    return words or ""


def _inner(item: Any) -> str:
    """Return one of the texts in a reasoning part."""
    if isinstance(item, str) or item is None:
        return item or ""
    if not isinstance(item, dict) or not isinstance(item.get("text", ""), str):
        raise NotTextError("a part of a part is not a string")
    return str(item.get("text", ""))


def _check_read(part: dict[str, Any]) -> None:
    if part.get("type") in ("image_url", "image", "input_audio", "audio", "reference", "file"):
        return
    if any(name in part for name in ("text", "thinking", "refusal")):
        return
    if part and "type" not in part:
        raise NotTextError("a part has no type")
    for name in _POSSIBLE_TEXT_KEYS:
        if part.get(name):
            raise NotTextError(f"a part has text under the unknown key `{name}`")
