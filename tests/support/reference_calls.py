"""Tool calls, joined from their pieces: the third part of the reference decoder.

A new ``id`` begins a new call, whatever its index says. A known one with another index and a name does, too.
A piece without an id belongs to the last call with its index. A piece with neither belongs to the last call.
Several such pieces in one list have their places as indexes. A call without an index has the next one.
If a piece without an id names a function again, it begins a new call where the arguments so far are a whole
object: some servers send each call in one piece, all with the same index and without ids.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One whole call."""

    id: str
    name: str
    arguments: str


class _Open:
    """A call that may be incomplete."""

    def __init__(self) -> None:
        self.id: Any = None
        self.index: Any = None
        self.name = ""
        self.arguments = ""
        self.is_object = False

    def call(self) -> Call:
        return Call(str(self.id or ""), self.name, _unsurrogated(self.arguments))


class Calls:
    """Raises ``ValueError`` for pieces that do not tell which call they belong to. ``pieces`` counts them."""

    def __init__(self) -> None:
        self.pieces = 0
        self._calls: list[_Open] = []
        self._last: _Open | None = None

    def joined(self) -> tuple[Call, ...]:
        """All calls that say something, sorted: their order says nothing."""
        return tuple(sorted(call for call in (each.call() for each in self._calls) if any(call)))

    def take(self, pieces: list[Any]) -> None:
        """Read one list of pieces."""
        for place, piece in enumerate(pieces):
            if piece and not isinstance(piece, dict):
                raise ValueError("a tool call of a wrong type")
            if piece and any(piece.get(key) for key in ("id", "function", "custom")):
                self._piece(piece, place if len(pieces) > 1 else None)

    def take_function_call(self, function: dict[str, Any] | None) -> None:
        """Read a piece of the one call that the older ``function_call`` makes."""
        if function:
            self._piece({"index": "function_call", "function": function}, None)

    def _piece(self, piece: dict[str, Any], place: int | None) -> None:
        self.pieces += 1
        function = piece.get("function") or {}
        if not isinstance(function, dict):
            raise ValueError("a function of a wrong type")  # noqa: TRY004
        call = self._find(piece, place, names=bool(function.get("name")))
        self._last = call
        self._name(call, function.get("name"))
        _add_arguments(call, function.get("arguments"))

    def _find(self, piece: dict[str, Any], place: int | None, *, names: bool) -> _Open:
        index, call_id = _index(piece.get("index")), piece.get("id") or None
        if isinstance(call_id, dict | list):
            raise ValueError("an id of a wrong type")  # noqa: TRY004
        if call_id is not None:
            return self._by_id(call_id, index, names=names)
        if index == "function_call" or _is_number(index):
            found = [call for call in self._calls if call.index == index]
            is_new = not found or _begins_another(found[-1], piece)
            return self._new(None, index) if is_new else found[-1]
        if index is not None:
            raise ValueError("an index of a wrong type")
        if place is not None:
            known = [call for call in self._calls if call.index == place]
            is_new = not known or _begins_another(known[-1], piece)
            return self._new(None, place) if is_new else known[-1]
        if self._last is None:
            return self._new(None, None)
        return self._new(None, None) if _begins_another(self._last, piece) else self._last

    def _by_id(self, call_id: Any, index: Any, *, names: bool) -> _Open:
        for call in self._calls:
            is_elsewhere = _is_number(index) and _is_number(call.index) and index != call.index
            if call.id == call_id and type(call.id) is type(call_id) and not (names and is_elsewhere):
                return call
        for call in reversed(self._calls):
            if _is_number(index) and call.index == index:
                if call.id is None and not (names and call.name):  # its id comes late
                    call.id = call_id
                    return call
                break
        return self._new(call_id, index if _is_number(index) else None)

    def _new(self, call_id: Any, index: Any) -> _Open:
        call = _Open()
        used = [call.index for call in self._calls if _is_number(call.index)]
        call.id, call.index = call_id, max(used, default=-1) + 1 if index is None else index
        self._calls.append(call)
        return call

    def _name(self, call: _Open, name: Any) -> None:
        if name and not isinstance(name, str):
            raise ValueError("a name of a wrong type")
        if name and call.name not in ("", name):
            raise ValueError("two names for one call")
        call.name = name or call.name


def _begins_another(call: _Open, piece: dict[str, Any]) -> bool:
    """Whether a part without an id is the first of another call."""
    function = piece.get("function")
    if not isinstance(function, dict) or not function.get("name") or not call.name:
        return False
    arguments = function.get("arguments")
    has_own = isinstance(arguments, dict) or str(arguments or "").startswith("{")
    try:
        is_whole = isinstance(json.loads(call.arguments), dict)
    except ValueError:
        return False
    return is_whole and (has_own or function["name"] != call.name)


def _add_arguments(call: _Open, arguments: Any) -> None:
    if isinstance(arguments, dict):
        if call.arguments:
            raise ValueError("an object of arguments after text")
        call.arguments, call.is_object = json.dumps(arguments, ensure_ascii=False), True
    elif isinstance(arguments, str):
        if arguments and call.is_object:
            raise ValueError("text after an object of arguments")
        call.arguments += arguments
    elif arguments:
        raise ValueError("arguments of a wrong type")


def _index(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d+", value, re.ASCII) else value


def _is_number(index: Any) -> bool:
    return isinstance(index, int | float) and not isinstance(index, bool)


def _unsurrogated(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def canonical(calls: tuple[Call, ...]) -> list[tuple[str, str, str]]:
    """The calls in a form in which equal ones are equal, however their JSON is spaced."""
    return [(call.id, call.name, _respaced(call.arguments)) for call in calls]


def _respaced(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except ValueError:
        return arguments
