"""Joins the log probabilities of a reply, which arrive with each piece of its text."""

from __future__ import annotations

from typing import Any

from batch.wire.tool_calls import is_shallow


class Logprobs:
    """Collects log probabilities: lists of the same name are concatenated."""

    def __init__(self) -> None:
        self._joined: Any = None

    def feed(self, piece: Any) -> None:
        """Add the value of one event. A value that is nested too deeply to be encoded is ignored."""
        if piece is None or not is_shallow(piece):
            return
        if isinstance(piece, dict):
            if not isinstance(self._joined, dict):
                self._joined = {}
            for name, value in piece.items():
                self._joined[name] = _grown(self._joined.get(name), value)
        else:
            self._joined = _grown(self._joined, piece)

    def joined(self) -> Any:
        """Return all of them; ``None`` if there are none."""
        return self._joined


def _grown(before: Any, value: Any) -> Any:
    if isinstance(before, list) and isinstance(value, list):
        before += value
        return before
    return before if value is None else value
