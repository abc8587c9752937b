"""Content that comes as a list of parts: which of them is text, which reasoning, which a refusal."""

from __future__ import annotations

from typing import Any

_REASONING = frozenset({"thinking", "reasoning", "thought", "reasoning_text", "summary_text"})
_WORDLESS = ("content", "value", "output_text")
"""Keys under which a part of an unknown form may hold words."""


class NotTextError(ValueError):
    """A part whose words cannot be read."""


def text_and_reasoning(parts: list[Any]) -> tuple[str | None, str | None, str | None]:
    """The text, the reasoning and the refusal of a list of parts; ``None`` for what it does not hold.

    A part's ``text`` is text, whatever the part's type, but for the types of reasoning. Parts without words,
    such as references and images, are left out. Raises ``NotTextError`` where words would be lost.
    """
    text: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    for part in parts:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict):
            is_reasoning = _type(part) in _REASONING
            if not is_reasoning and isinstance(part.get("text"), list):
                raise NotTextError("`text` of a part is no text")
            (reasoning if is_reasoning else text).append(_words(part, "text"))
            reasoning.append(_words(part, "thinking"))
            refusal.append(_words(part, "refusal"))
            _check_read(part)
        elif part is not None:
            raise NotTextError("a part is neither a text nor an object")
    return "".join(text) or None, "".join(reasoning) or None, "".join(refusal) or None


def _type(part: dict[str, Any]) -> str:
    """What kind of part it is. An unknown kind does no harm; of one that is no text, nothing is known."""
    kind = part.get("type")
    if kind and not isinstance(kind, str):
        raise NotTextError("`type` of a part is no text")
    return kind or ""


def _words(part: dict[str, Any], name: str) -> str:
    words = part.get(name)
    if isinstance(words, list):
        return "".join(_inner(item) for item in words)
    if words is not None and not isinstance(words, str):
        raise NotTextError(f"`{name}` of a part is no text")
    return words or ""


def _inner(item: Any) -> str:
    """One of the texts that a part of reasoning holds."""
    if isinstance(item, str) or item is None:
        return item or ""
    if not isinstance(item, dict) or not isinstance(item.get("text", ""), str):
        raise NotTextError("a part of a part is no text")
    return str(item.get("text", ""))


def _check_read(part: dict[str, Any]) -> None:
    if part.get("type") in ("image_url", "image", "input_audio", "audio", "reference", "file"):
        return
    if any(name in part for name in ("text", "thinking", "refusal")):
        return
    if part and "type" not in part:
        raise NotTextError("a part is of no type")
    for name in _WORDLESS:
        if part.get(name):
            raise NotTextError(f"a part holds words as `{name}`, which is not known")
