"""A few lines of a terminal that are drawn again and again at the same place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from batch.cli.streams import to_stdout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

_USUAL = os.terminal_size((80, 24))

_UP = "\x1b[{}A"
_CLEAR_LINE, _CLEAR_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """Draws lines over the lines that it has drawn before, unless the terminal has changed its width."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._columns = 0
        self._drawn = 0

    @property
    def size(self) -> tuple[int, int]:
        """The columns and rows that lines may take: the last ones stay free, so that nothing wraps."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            found = _USUAL
        return (found.columns or _USUAL.columns) - 1, (found.lines or _USUAL.lines) - 1

    @property
    def is_plain(self) -> bool:
        """Whether the terminal lacks characters beyond ASCII."""
        return not (self._stream.encoding or "").lower().startswith("utf")

    def draw(self, lines: Sequence[str]) -> None:
        """Draw escaped lines, each at most as wide as the screen; the cursor stays below them."""
        columns, _ = self.size
        if columns != self._columns:
            self._columns, self._drawn = columns, 0
        start = _UP.format(self._drawn) if self._drawn else ""
        text = "".join(f"{line}{_CLEAR_LINE}\n" for line in lines)
        encoding = self._stream.encoding or "utf-8"
        encodable = text.encode(encoding, "backslashreplace").decode(encoding)
        with to_stdout():
            self._stream.write(f"{start}{encodable}{_CLEAR_BELOW}")
        self._drawn = len(lines)

    def clear(self) -> None:
        """Remove the lines."""
        self.draw([])

    def forget(self) -> None:
        """Draw the next lines below what is there."""
        self._drawn = 0
