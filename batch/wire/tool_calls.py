"""Joining the tool calls of a reply, which come in pieces by index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batch.records import JSONObject


class ToolCalls:
    """Collects the pieces; ``joined`` gives the whole calls in the order of their indices."""

    def __init__(self) -> None:
        self._calls: dict[int, JSONObject] = {}

    def feed(self, piece: JSONObject, place: int) -> None:
        """Take in one piece. ``place`` is its position in the event, for servers that send no index."""
        index = piece.get("index")
        call = self._calls.setdefault(index if isinstance(index, int) else place, {})
        for key, value in piece.items():
            if key == "function" and isinstance(value, dict):
                _grow(call.setdefault("function", {"name": None, "arguments": ""}), value)
            elif key != "index" and value:
                call[key] = value

    def joined(self) -> list[JSONObject]:
        """The calls so far."""
        return [self._calls[index] for index in sorted(self._calls)]


def _grow(function: dict[str, Any], piece: JSONObject) -> None:
    """A name replaces, arguments grow; some servers send the arguments as an object at once."""
    function["name"] = piece.get("name") or function["name"]
    arguments = piece.get("arguments")
    if isinstance(arguments, dict):
        arguments = json.dumps(arguments, ensure_ascii=False)
    function["arguments"] += arguments if isinstance(arguments, str) else ""
