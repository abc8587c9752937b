"""``<output>.log``: what happened and when, one line an event, bounded in size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from batch.escaping import escape
from batch.results.filesystem import match, open_own

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

LARGEST = 5_000_000
"""Bytes of one file; then it becomes ``<output>.log.1``, in place of the one before."""

_LONGEST = 1000  # characters of one event
_NEW = os.O_RDWR | os.O_APPEND | os.O_CREAT


class EventLog:
    """Appends dated lines to a file; for the holder of the output's lock.

    The file is made with the first event. The results do not depend on it: where it cannot be written,
    ``on_trouble`` is told so, once, and later events are dropped. ``wall`` gives the time in UTC.
    """

    def __init__(
        self,
        output: Path,
        *,
        wall: Callable[[], datetime],
        on_trouble: Callable[[str], None],
        largest: int = LARGEST,
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
        """Append one line: the time, the kind of event (a word of ours) and the text, which is escaped."""
        if self._broken:
            return
        at = self._wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {event:<7} {escape(text, limit=_LONGEST)}\n".encode()
        try:
            self._append(line)
        except OSError as error:
            self._broken = True
            self.close()
            self._on_trouble(f"{self.path} cannot be written, and is left as it is: {error.strerror}")

    def close(self) -> None:
        """Close the file; harmless the second time."""
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
            self._size += os.write(self._descriptor, b"\n")  # a run died, or the disk was full, within a line
