"""A slow second reading of an event stream, written from the rules and not from the decoder.

It says what text a stream holds, or that its words cannot be read. It knows nothing of how an answer ends.
"""

from __future__ import annotations

import json
import re
from typing import Any


class UnreadableError(Exception):
    """The stream holds words that cannot be read, or an error."""


def text_of(body: bytes) -> str:
    """The text of the choice 0, up to ``[DONE]``. Raises ``UnreadableError``."""
    text = ""
    for block in re.split(rb"\n\n", body):
        lines = [line.partition(b":") for line in block.split(b"\n")]
        names = [(name, value.removeprefix(b" ")) for name, _, value in lines]
        if any(name == b"error" or (name == b"event" and value == b"error") for name, value in names):
            raise UnreadableError("an error event")
        data = b"\n".join(value for name, value in names if name == b"data").strip()
        if data == b"[DONE]":
            break
        if data:
            text = _grown(text, _decoded(data))
    return text


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except ValueError as error:
        raise UnreadableError(str(error)) from None


def _grown(text: str, value: Any) -> str:
    if not isinstance(value, dict):
        if isinstance(value, str | list) and value:
            raise UnreadableError("no object")
        return text
    choices = value.get("choices") or []
    if value.get("error") or not isinstance(choices, list):
        raise UnreadableError("an error, or no list")
    for place, choice in enumerate(choices):
        if not isinstance(choice, dict):
            if choice:
                raise UnreadableError("no choice")
            continue
        index = choice.get("index", place)
        if index is None:
            index = place
        if isinstance(index, bool) or index not in (0, "0"):
            continue
        if choice.get("error"):
            raise UnreadableError("an error")
        text = _said(text, choice)
    return text


def _said(text: str, choice: dict[str, Any]) -> str:
    delta, message = choice.get("delta") or {}, choice.get("message") or {}
    if not isinstance(delta, dict) or not isinstance(message, dict):
        raise UnreadableError("no object")
    if choice.get("text") is not None and not isinstance(choice["text"], str):
        raise UnreadableError("no text")
    text += _words(delta.get("content")) or choice.get("text") or ""
    whole = _words(message.get("content"))
    if not whole.startswith(text) and whole:
        raise UnreadableError("it contradicts itself")
    return whole or text


def _words(content: Any) -> str:
    if isinstance(content, list) and all(isinstance(part, str) for part in content):
        return "".join(content)
    if content is not None and not isinstance(content, str):
        raise UnreadableError("no text")
    return content or ""
