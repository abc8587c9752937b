"""Joins the tool calls of a reply, which arrive in parts, and determines the call of each part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batch.wire.chat_chunk import WrongTypeError
from batch.wire.text import join

if TYPE_CHECKING:
    from batch.records import JSONObject

MAX_DEPTH = 32
"""Maximum nesting depth of a field; a deeper one could not be encoded again, and is ignored."""


class ToolCalls:
    """Collects the parts; ``joined`` returns the complete calls in the order of their indices.

    A new id begins a new call, whatever its index is. A part without an id continues the latest call of its
    index; a part without either continues the last call. If such a part names a function again, and the
    arguments so far are complete, it begins a new call. Each lookup takes constant time.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}
        self._last: _Call | None = None
        self._form: type | None = None
        self._next_index = 0

    def feed(self, piece: Any, place: int | None) -> bool:
        """Add one part; return whether it has content. ``place`` is its position among several.

        Raises ``WrongTypeError`` if a value in the part has the wrong type, or contradicts earlier parts.
        """
        if not isinstance(piece, dict):
            if piece:
                raise WrongTypeError("a tool call is not an object")
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
        """Return the calls so far, without empty ones.

        Raises ``WrongTypeError`` for arguments without a function name: such a call cannot be made.
        """
        return [
            call.joined() for call in sorted(self._calls, key=lambda call: call.index) if call.has_content
        ]

    def functions(self) -> list[object]:
        """Return the functions and their arguments, without ids."""
        return [call.get("function") for call in self.joined()]

    def _call_of(self, piece: JSONObject, place: int | None) -> _Call:
        index, call_id = _index(piece.get("index")), _id(piece.get("id"))
        if index is None and piece.get("index") is not None:
            raise WrongTypeError("the index of a tool call is not a number")
        if call_id:
            return self._call_with_id(call_id, index, piece)
        if index is None and place is None:
            call = self._last
        else:
            call = self._by_index.get(place or 0 if index is None else index)
        return (
            self._new(place if index is None else index) if call is None or call.begins_new(piece) else call
        )

    def _call_with_id(self, call_id: str, index: int | None, piece: JSONObject) -> _Call:
        call = self._by_id.get(call_id)
        if call is not None and (index in (None, call.index) or not _name(piece)):
            return call
        call = None if index is None else self._by_index.get(index)
        if call is None or call.fields.get("id") or (call.name and _name(piece)):  # else its id arrives late
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
    """One call: a later value of a field replaces an earlier one, the arguments are appended."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.fields: JSONObject = {}
        self._function: JSONObject | None = None
        self._arguments: list[str] = []
        self._is_object = False

    @property
    def name(self) -> Any:
        """The name of the function; ``None`` if it has not arrived yet."""
        return self._function["name"] if self._function else None

    @property
    def has_content(self) -> bool:
        """Whether the call has content."""
        return bool(self.fields.keys() - {"type"} or self.name or any(self._arguments))

    def begins_new(self, piece: JSONObject) -> bool:
        """Whether a part without an id begins another call.

        It does if it names another function, or the same one with arguments of its own, and the arguments so
        far are complete. A server that repeats the name in each part continues the same call.
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
                raise WrongTypeError("the name of a function is not a string")
            if name and self.name and name != self.name:
                raise WrongTypeError("two names for one tool call")
            self._function = {"name": name or self.name}
            self._arguments.append(self._text(function.get("arguments")))
        elif function:
            raise WrongTypeError("the function of a tool call is not an object")

    def joined(self) -> JSONObject:
        if self._function is None:
            return self.fields
        if not self._function["name"] and any(self._arguments):
            raise WrongTypeError("a tool call has no function name")
        return self.fields | {"function": self._function | {"arguments": join(self._arguments)}}

    def _text(self, arguments: object) -> str:
        """Return arguments as JSON text; some servers send the object itself, in a single part."""
        if isinstance(arguments, str) or arguments is None:
            if arguments and self._is_object:
                raise WrongTypeError("more arguments of a tool call after an object")
            return arguments or ""
        if not isinstance(arguments, dict) or any(self._arguments):
            raise WrongTypeError("the arguments of a tool call are not a string")
        self._is_object = True
        return json.dumps(arguments, ensure_ascii=False) if is_shallow(arguments) else ""


def _index(value: object) -> int | None:
    """Return an index in any of its forms; ``None`` if there is none that can be read."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _MAX_INDEX_DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_MAX_INDEX_DIGITS = 10


def _name(piece: JSONObject) -> object:
    function = piece.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _id(value: object) -> str:
    if not value:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise WrongTypeError("the id of a tool call is not a string")
    return str(value)


def is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether a value is nested no deeper than can be encoded again."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_shallow(item, levels - 1) for item in inner)
