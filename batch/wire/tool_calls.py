"""Joining the tool calls of a reply, which come in pieces by index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batch.wire.text import join

if TYPE_CHECKING:
    from batch.records import JSONObject

MAX_DEPTH = 32
"""Levels that a field may be nested; a deeper one could not be written down again, and is dropped."""


class ToolCalls:
    """Collects the pieces; ``joined`` gives the whole calls in the order of their indices."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._last = 0

    def feed(self, piece: JSONObject, place: int | None) -> None:
        """Take in one piece. ``place`` is its position among several, for servers that send no index."""
        self._last = self._index(piece, place)
        self._calls.setdefault(self._last, _Call()).feed(piece)

    def joined(self) -> list[JSONObject]:
        """The calls so far."""
        return [self._calls[index].joined() for index in sorted(self._calls)]

    def _index(self, piece: JSONObject, place: int | None) -> int:
        """Which call a piece belongs to.

        Without an index, an id that is new opens a new call, and what has no id either, and comes alone, goes
        on with the one before.
        """
        index, call_id = piece.get("index"), piece.get("id")
        if isinstance(index, int):
            return index
        if not call_id:
            return self._last if place is None else place
        same = (index for index, call in self._calls.items() if call.fields.get("id") == call_id)
        return next(same, max(self._calls, default=-1) + 1)


class _Call:
    """One call: the later value of a field replaces the earlier, the arguments grow."""

    def __init__(self) -> None:
        self.fields: JSONObject = {}
        self._function: JSONObject | None = None
        self._arguments: list[str] = []

    def feed(self, piece: JSONObject) -> None:
        self.fields.update(
            (key, value)
            for key, value in piece.items()
            if value and key not in ("index", "function") and _is_shallow(value)
        )
        function = piece.get("function")
        if isinstance(function, dict):
            name = function.get("name")
            before = self._function["name"] if self._function else None
            self._function = {"name": name if isinstance(name, str) and name else before}
            self._arguments.append(_text(function.get("arguments")))

    def joined(self) -> JSONObject:
        if self._function is None:
            return self.fields
        return self.fields | {"function": self._function | {"arguments": join(self._arguments)}}


def _text(arguments: object) -> str:
    """Arguments are JSON in a string; some servers send the object itself."""
    if isinstance(arguments, str):
        return arguments
    if isinstance(arguments, dict) and _is_shallow(arguments):
        return json.dumps(arguments, ensure_ascii=False)
    return ""


def _is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)
