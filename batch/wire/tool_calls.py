"""Joining the tool calls of a reply, which come in pieces: which call a piece belongs to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batch.wire.chat_chunk import WrongTypeError
from batch.wire.text import join

if TYPE_CHECKING:
    from batch.records import JSONObject

MAX_DEPTH = 32
"""Levels that a field may be nested; a deeper one could not be written down again, and is dropped."""


class ToolCalls:
    """Collects the pieces; ``joined`` gives the whole calls in the order of their indices.

    A new id begins a new call, whatever its index says. A piece without an id continues the latest call of
    its index; one without either continues the last call. If such a piece names a function again, and the
    arguments so far are whole, it begins a new call. Each look-up takes constant time.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._form: type | None = None
        self._next_index = 0

    def feed(self, piece: Any, place: int | None) -> bool:
        """Take in one piece, and say whether it says anything. ``place`` is its position among several.

        Raises ``WrongTypeError`` where a part of the piece is of a wrong type, or does not fit what came
        before.
        """
        if not isinstance(piece, dict):
            if piece:
                raise WrongTypeError("a tool call is no object")
            return False
        if not any(piece.get(name) for name in ("id", "function", "custom")):
            if piece.get("name") or piece.get("arguments"):
                raise WrongTypeError("a tool call has no function")
            return False
        if self._form not in (None, type(piece)):
            raise WrongTypeError("`function_call` and `tool_calls` in one answer")
        self._form = type(piece)
        self._last = call = self._call_of(piece, place)
        call.feed(piece)
        return True

    def joined(self) -> list[JSONObject]:
        """The calls so far, without those that say nothing.

        Raises ``WrongTypeError`` for arguments without a name of the function: it cannot be called.
        """
        return [call.joined() for call in sorted(self._calls, key=lambda call: call.index) if call.says]

    def functions(self) -> list[object]:
        """What is called, and with which arguments, without ids."""
        return [call.get("function") for call in self.joined()]

    def _call_of(self, piece: JSONObject, place: int | None) -> _Call:
        index, call_id = _index(piece.get("index")), _id(piece.get("id"))
        if index is None and piece.get("index") is not None:
            raise WrongTypeError("the index of a tool call is no number")
        if call_id:
            return self._call_with_id(call_id, index, piece)
        if index is None and place is None:
            call = self._last
        else:
            call = self._by_index.get(place or 0 if index is None else index)
        return self._new(place if index is None else index) if call is None or call.is_over(piece) else call

    def _call_with_id(self, call_id: str, index: int | None, piece: JSONObject) -> _Call:
        call = self._by_id.get(call_id)
        if call is not None and (index in (None, call.index) or not _name(piece)):
            return call
        call = None if index is None else self._by_index.get(index)
        if call is None or call.fields.get("id") or (call.name and _name(piece)):  # else its id comes late
            call = self._new(index)
        self._by_id[call_id] = call
        return call

    def _new(self, index: int | None) -> _Call:
        call = _Call(self._next_index if index is None else index)
        self._calls.append(call)
        self._by_index[call.index] = call
        self._next_index = max(self._next_index, call.index + 1)
        return call


class _Call:
    """One call: the later value of a field replaces the earlier, the arguments grow."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.fields: JSONObject = {}
        self._function: JSONObject | None = None
        self._arguments: list[str] = []
        self._is_object = False

    @property
    def name(self) -> Any:
        """The name of the function; ``None`` where it has not come yet."""
        return self._function["name"] if self._function else None

    @property
    def says(self) -> bool:
        """Whether there is anything to call, or to answer."""
        return bool(self.fields.keys() - {"type"} or self.name or any(self._arguments))

    def is_over(self, piece: JSONObject) -> bool:
        """Whether a piece without an id begins another call.

        It names another function, or the same one with arguments of its own, and those so far are whole. A
        server that repeats the name in each piece goes on with the same call.
        """
        name = _name(piece)
        if not name or not self.name:
            return False
        arguments = piece["function"].get("arguments")
        begins = isinstance(arguments, dict) or (isinstance(arguments, str) and arguments[:1] == "{")
        return (name != self.name or begins) and self._is_whole()

    def _is_whole(self) -> bool:
        text = "".join(self._arguments).rstrip()
        if not text.endswith("}"):
            return False
        try:
            return isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            return False

    def feed(self, piece: JSONObject) -> None:
        self.fields.update(
            (key, value)
            for key, value in piece.items()
            if value and key not in ("index", "function") and is_shallow(value)
        )
        function = piece.get("function")
        if isinstance(function, dict):
            name = function.get("name")
            if name is not None and not isinstance(name, str):
                raise WrongTypeError("the name of a function is no text")
            if name and self.name and name != self.name:
                raise WrongTypeError("two names for one tool call")
            self._function = {"name": name or self.name}
            self._arguments.append(self._text(function.get("arguments")))
        elif function:
            raise WrongTypeError("the function of a tool call is no object")

    def joined(self) -> JSONObject:
        if self._function is None:
            return self.fields
        if not self._function["name"] and any(self._arguments):
            raise WrongTypeError("a tool call names no function")
        return self.fields | {"function": self._function | {"arguments": join(self._arguments)}}

    def _text(self, arguments: object) -> str:
        """Arguments are JSON in a text; some servers send the object itself, and then all of it at once."""
        if isinstance(arguments, str) or arguments is None:
            if arguments and self._is_object:
                raise WrongTypeError("more arguments of a tool call after an object")
            return arguments or ""
        if not isinstance(arguments, dict) or any(self._arguments):
            raise WrongTypeError("the arguments of a tool call are no text")
        self._is_object = True
        return json.dumps(arguments, ensure_ascii=False) if is_shallow(arguments) else ""


def _index(value: object) -> int | None:
    """An index in its spellings; ``None`` where there is none that can be read."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _LONGEST_INDEX:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_LONGEST_INDEX = 10


def _name(piece: JSONObject) -> object:
    function = piece.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _id(value: object) -> str:
    if not value:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise WrongTypeError("the id of a tool call is no text")
    return str(value)


def is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether a value is nested no deeper than can be written down again."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_shallow(item, levels - 1) for item in inner)
