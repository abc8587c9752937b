"""Whole messages in addition to deltas: duplicates are merged, and contradictions are errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from batch.wire.chat_chunk import WrongTypeError
from batch.wire.text import join, split_thinking
from batch.wire.tool_calls import ToolCalls

if TYPE_CHECKING:
    from batch.records import JSONObject


class _Mark(NamedTuple):
    """The first ``length`` characters are a whole message; ``deltas`` of them arrived as deltas."""

    deltas: int
    length: int


class WholeMessages:
    """Records the text, reasoning, refusal and tool calls of whole messages.

    The parts of a field are the last whole message and the deltas after it. A message may repeat the deltas
    or complete them, and a later message may complete an earlier one. All deltas together must be a prefix of
    the last message, else ``settled`` raises ``WrongTypeError``.
    """

    def __init__(self) -> None:
        self._marks: dict[str, _Mark] = {}
        self._calls: list[ToolCalls] = []

    def take(self, name: str, parts: list[str], whole: str) -> bool:
        """Add a field of a whole message; return whether it brings more than was known.

        The message may omit reasoning that precedes the text in the deltas. Raises ``WrongTypeError`` if it
        contradicts what arrived before.
        """
        known, deltas = self._known(name, parts)
        if whole == split_thinking(deltas)[0]:
            whole = deltas
        if not whole.startswith(deltas) or not whole.startswith(known):
            raise _contradiction(name)
        parts[:] = [whole]
        self._marks[name] = _Mark(len(deltas), len(whole))
        return len(whole) > max(len(known), len(deltas))

    def take_calls(self, pieces: list[Any], deltas: ToolCalls) -> bool:
        """Add the tool calls of a whole message; return whether they are new."""
        calls = ToolCalls()
        for place, piece in enumerate(pieces):
            calls.feed(piece, place)
        known = [earlier.functions() for earlier in (deltas, *self._calls)]
        self._calls.append(calls)
        return calls.functions() not in ([], *known)

    def settled(self, name: str, parts: list[str]) -> str:
        """Return the text on which deltas and messages agree, at the end of the reply."""
        known, deltas = self._known(name, parts)
        if name in self._marks and not known.startswith(deltas):
            raise _contradiction(name)
        return known if name in self._marks else deltas

    def settled_calls(self, deltas: ToolCalls) -> list[JSONObject]:
        """Return the calls on which deltas and messages agree, whatever their ids."""
        found = [calls for calls in (deltas, *self._calls) if calls.joined()]
        if any(calls.functions() != found[0].functions() for calls in found[1:]):
            raise _contradiction("tool calls")
        return found[0].joined() if found else []

    def _known(self, name: str, parts: list[str]) -> tuple[str, str]:
        """Return the last whole message, or an empty string, and all deltas."""
        whole = "".join(parts)
        mark = self._marks.get(name, _Mark(0, 0))
        return join([whole[: mark.length]]), join([whole[: mark.deltas] + whole[mark.length :]])


def _contradiction(name: str) -> WrongTypeError:
    return WrongTypeError(f"the whole message contradicts the {name} that was streamed")
