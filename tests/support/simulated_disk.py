"""A simulated disk that can be full, fail, and lose power between any two operations.

What has not been synced may or may not survive: names and contents are lost or kept independently of
each other, as on a real file system, and so are the blocks of a content: a later one may be there when an
earlier one is not.
"""

from __future__ import annotations

import errno
import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Literal

from batch.results.filesystem import FileState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Fate = Literal["lost", "kept", "half", "zeros", "blocks"]
"""What a power cut does to something unsynced; of a name, only the first two differ.

Appended data can also be half there, become zeros, or have a fate for each block.
"""

FATES: tuple[Fate, ...] = ("lost", "kept", "half", "zeros", "blocks")
BLOCK = 100
"""Bytes; less than a line, so that lines are damaged at both ends."""


class PowerCutError(Exception):
    """The power has failed; the running code sees nothing of what follows."""


@dataclass(eq=False, slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""

    def after_power_cut(self, fate: Callable[[], Fate]) -> bytes:
        appended = bytes(self.content[len(self.durable) :])
        whole = fate()
        if whole == "kept":
            return bytes(self.content)
        if whole == "lost" or not appended or not self.content.startswith(self.durable):
            return self.durable
        if whole == "half":
            return self.durable + appended[: len(appended) // 2]
        if whole == "zeros":
            return self.durable + bytes(len(appended))
        return self.durable + b"".join(
            block if fate() == "kept" else bytes(len(block))
            for block in (appended[at : at + BLOCK] for at in range(0, len(appended), BLOCK))
        )


class SimulatedDisk:
    """A ``FileSystem``. ``operations`` counts operations that change something or wait for the disk.

    ``errors`` are raised by the operations they are named for, ``error_at`` by the operation of that number
    and no other; ``capacity`` is in bytes over all files; the power fails before operation number
    ``power_fails_at``.
    """

    def __init__(self) -> None:
        self.operations = 0
        self.power_fails_at: int | None = None
        self.capacity: int | None = None
        self.longest_write: int | None = None
        self.errors: dict[str, int] = {}
        self.error_at: dict[int, int] = {}
        self._names: dict[Path, _File] = {}
        self._durable_names: dict[Path, _File] = {}
        self._open: dict[int, _File] = {}

    def put(self, path: Path, content: bytes) -> None:
        """A file that has been on the disk for long."""
        file = _File(bytearray(content), content)
        self._names[path] = self._durable_names[path] = file

    def content(self, path: Path) -> bytes:
        return bytes(self._names[path].content)

    def names(self) -> set[str]:
        return {path.name for path in self._names}

    def restart(self, fate: Callable[[], Fate]) -> None:
        """Start the machine again after a power failure."""
        for path in sorted(self._names.keys() | self._durable_names.keys()):
            if fate() != "lost":
                self._settle(path)
        self._names = dict(self._durable_names)
        for file in dict.fromkeys(self._names[path] for path in sorted(self._names)):
            file.durable = file.after_power_cut(fate)
            file.content = bytearray(file.durable)
        self.power_fails_at = None
        self.forget_process()

    def forget_process(self) -> None:
        """Kill the process with open files, but not the machine."""
        self._open.clear()

    def make_directories(self, path: Path) -> None:
        """All directories are there."""

    def open_read(self, path: Path) -> BinaryIO:
        if path not in self._names:
            raise FileNotFoundError(path)
        return io.BytesIO(self.content(path))

    def state(self, file: Path | int) -> FileState | None:
        found = self._open[file] if isinstance(file, int) else self._names.get(file)
        return None if found is None else FileState(0, id(found), len(found.content))

    def open_append(self, path: Path, *, like: Path) -> int:
        self._step("open")
        return self._descriptor(self._names.setdefault(path, _File()))

    def create(self, path: Path, *, like: Path) -> int:
        self._step("create")
        if path in self._names:
            raise FileExistsError(path)
        self._names[path] = _File()
        return self._descriptor(self._names[path])

    def write(self, descriptor: int, data: memoryview) -> int:
        self._step("write")
        free = len(data) if self.capacity is None else self.capacity - self.used()
        if free <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = data[: min(free, self.longest_write or free)]
        self._open[descriptor].content += taken
        return len(taken)

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        file = self._open[descriptor]
        file.durable = bytes(file.content)

    def truncate(self, descriptor: int, length: int) -> None:
        self._step("truncate")
        del self._open[descriptor].content[length:]

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace")
        self._names[target] = self._names.pop(source)

    def remove(self, path: Path) -> None:
        self._step("remove")
        self._names.pop(path, None)

    def sync_directory(self, path: Path) -> None:
        self._step("sync_directory")
        for name in self._names.keys() | self._durable_names.keys():
            if name.parent == path:
                self._settle(name)

    def _settle(self, path: Path) -> None:
        if path in self._names:
            self._durable_names[path] = self._names[path]
        else:
            self._durable_names.pop(path, None)

    def _step(self, operation: str) -> None:
        self.operations += 1
        if self.power_fails_at is not None and self.operations >= self.power_fails_at:
            raise PowerCutError
        error = self.error_at.get(self.operations) or self.errors.get(operation)
        if error is not None:
            raise OSError(error, os.strerror(error))

    def _descriptor(self, file: _File) -> int:
        descriptor = len(self._open) + 3
        while descriptor in self._open:
            descriptor += 1
        self._open[descriptor] = file
        return descriptor

    def used(self) -> int:
        return sum(len(file.content) for file in self._names.values())
