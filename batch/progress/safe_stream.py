"""A text stream that never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO


class SafeStream:
    """Writes to a text stream as long as that works, and never raises.

    A closed terminal or a broken pipe must not end a run. Characters that the stream's encoding lacks are
    escaped.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # tqdm asks for the encoding and the width of the terminal

    def write(self, text: str) -> int:
        """Write all of the text, or nothing once the stream is broken."""
        if not self._broken:
            try:
                self._stream.write(self._encodable(text))
            except (OSError, ValueError):  # ValueError: the stream has been closed
                self._broken = True
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._broken = True

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)
