"""Joining the log probabilities of a reply, which come with each piece of its text."""

from __future__ import annotations

from typing import Any

from batch.wire.tool_calls import is_shallow


class Logprobs:
    """Collects what the events bring: lists grow, under their names where they have some."""

    def __init__(self) -> None:
        self._joined: Any = None

    def feed(self, piece: Any) -> None:
        """Take in what one event brings. What is nested too deeply to be written down again is left out."""
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
        """All of them; ``None`` where there are none."""
        return self._joined


def _grown(before: Any, value: Any) -> Any:
    if isinstance(before, list) and isinstance(value, list):
        before += value
        return before
    return before if value is None else value
