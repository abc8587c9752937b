"""``<output>.log``: the events of runs with their times, one line each, bounded in size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from batch.results.filesystem import match, open_own
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

MAX_SIZE = 5_000_000
"""Maximum size of one file in bytes; then it becomes ``<output>.log.1``, replacing the previous one."""

_MAX_TEXT = 1000  # maximum characters of one event
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT


class EventLog:
    """Appends lines with times to a file; for the process that holds the output's lock.

    The file is created with the first event. The results do not depend on it: if it cannot be written,
    ``on_trouble`` is called once, and later events are dropped. ``wall`` returns the time in UTC.
    """

    def __init__(
        self,
        output: Path,
        *,
        wall: Callable[[], datetime],
        on_trouble: Callable[[str], None],
        largest: int = MAX_SIZE,
    ) -> None:
        self._output = Path(os.path.realpath(output))
        self.path = self._output.with_name(f"{self._output.name}.log")
        self._wall = wall
        self._on_trouble = on_trouble
        self._largest = largest
        self._descriptor: int | None = None
        self._size = 0
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, event: str, text: str) -> None:
        """Append one line: the time, the kind of event (a fixed word) and the text, which is escaped."""
        if self._broken:
            return
        at = self._wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {event:<7} {escape(text, limit=_MAX_TEXT)}\n".encode()
        try:
            self._append(line)
        except OSError as error:
            self._broken = True
            self.close()
            self._on_trouble(f"{self.path} cannot be written; later events are not logged: {error.strerror}")

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            self._open()
        if self._size and self._size + len(line) > self._largest:
            self.close()
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            self._open()
        assert self._descriptor is not None  # noqa: S101 - it has just been opened
        self._size += os.write(self._descriptor, line)

    def _open(self) -> None:
        self._descriptor = open_own(self.path, _NEW, like=self._output)
        match(self._descriptor, self._output)
        self._size = os.fstat(self._descriptor).st_size
        if self._size and os.pread(self._descriptor, 1, self._size - 1) != b"\n":
            self._size += os.write(self._descriptor, b"\n")  # a killed run or a full disk left a partial line
