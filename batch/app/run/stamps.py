"""Whether files have changed since they were first looked at, by what the file system says of them."""

from __future__ import annotations

import os
from typing import TypeAlias

_Stamp: TypeAlias = tuple[int, int, int, int] | None


class Stamps:
    """The files of one reading: inode, size and time of change of each when it was first asked about."""

    def __init__(self) -> None:
        self._stamps: dict[str, _Stamp] = {}

    def changed(self, path: str) -> bool:
        """Whether the file is another one, or has been written to, since the first call for it."""
        now = _stamp(path)
        return self._stamps.setdefault(path, now) != now

    def any_changed(self) -> bool:
        """The same for all files that were asked about."""
        return any(map(self.changed, list(self._stamps)))


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
