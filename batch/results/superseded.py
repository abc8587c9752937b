"""``<output>.superseded.jsonl``: succeeded results that newer ones in the output have replaced.

The file only grows, until a run prunes it. A result is durable here before it leaves the output, so a crash
in between leaves it in both. The next run then finds it at the end of this file and does not append it again.
"""

from __future__ import annotations

import os
from array import array
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING

from batch.errors import ForeignOutputError
from batch.results.contents import check_ours, results_in
from batch.results.filesystem import append_durably, replace_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch.results.filesystem import FileSystem

SUFFIX = ".superseded.jsonl"
_SHORTEST_TAIL = 1 << 16


def superseded_path(output: Path) -> Path:
    """Return the path of the superseded results; ``output`` has no symbolic links."""
    return output.with_name(output.name + SUFFIX)


def check_superseded(files: FileSystem, output: Path) -> None:
    """Check that results can be appended to the file.

    Raises ``ForeignOutputError`` for a file of another program or a symbolic link, and ``OSError``.
    """
    path = superseded_path(output)
    if os.path.islink(path):  # it may lead out of the job's folder
        raise ForeignOutputError(f"{path} is a symbolic link, which promptjobs does not follow; move it away")
    with suppress(FileNotFoundError), files.open_read(path) as stream:
        check_ours(stream, path)


def set_aside(
    files: FileSystem, output: Path, lines: Iterable[bytes], *, repeated: int = 0, afresh: bool = False
) -> None:
    """Append lines of the output and return once they are durable.

    ``repeated``: the maximum bytes of lines that an earlier run may have appended before it was killed; these
    are not appended again. ``afresh``: the lines replace the content of the file. Raises ``OSError``, and
    ``ForeignOutputError`` for another program's file; the previous content then stays.
    """
    path = superseded_path(output)
    if afresh:
        replace_content(files, path, lines, like=output)
        return
    check_superseded(files, output)
    # twice the bytes: lines that a power failure has damaged are appended again
    tail = _Tail.read(files, path, 2 * repeated)
    _cut(files, path, tail.end, like=output)
    try:
        append_durably(files, path, tail.continued(lines), like=output)
    except BaseException:  # also from the iterator of lines, and a cancellation
        with suppress(OSError):
            _cut(files, path, tail.end, like=output)
        raise


def clear_superseded(files: FileSystem, output: Path) -> bool:
    """Remove the file; return whether it existed. Raises ``OSError``."""
    path = superseded_path(output)
    if files.state(path) is None:
        return False
    files.remove(path)
    files.sync_directory(path.parent)
    return True


def _cut(files: FileSystem, path: Path, length: int, *, like: Path) -> None:
    """Remove the partial line at the end, which a killed run has left."""
    state = files.state(path)
    if state is None or state.size <= length:
        return
    descriptor = files.open_append(path, like=like)
    try:
        files.truncate(descriptor, length)
    finally:
        files.close(descriptor)


class _Tail:
    """The end of a result file: its lines, and the ``end`` of the last complete one in bytes.

    ``is_ended`` is false if that line is complete except for its line end.
    """

    def __init__(self) -> None:
        self.end = 0
        self.is_ended = True
        self._lines = Digests()

    @classmethod
    def read(cls, files: FileSystem, path: Path, size: int) -> _Tail:
        """Read about the last ``size`` bytes, and at least one line."""
        tail, state = cls(), files.state(path)
        if state is None:
            return tail
        start = state.size
        with files.open_read(path) as stream:
            wanted = max(size, _SHORTEST_TAIL)
            while start >= state.size and state.size:
                start = max(0, state.size - wanted)
                stream.seek(max(0, start - 1))
                start = start and start - 1 + len(stream.readline())
                wanted *= 4
            stream.seek(start)
            tail.end = start
            for line in stream:
                tail._add(line)
        return tail

    def _add(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            self._lines.add(line)
        elif results_in(line):
            self._lines.add(line + b"\n")
            self.is_ended = False
        else:
            return
        self.end += len(line)

    def continued(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what has to be appended: the lines that are missing, and a missing line end before them."""
        if not self.is_ended:
            yield b"\n"
        for line in lines:
            if line not in self._lines:
                yield line


class Digests:
    """A set of lines by 64-bit hashes, at most 32 bytes each: a third of the size of a Python set."""

    def __init__(self) -> None:
        self._table = array("Q", [0]) * 64  # 0: free
        self._free = 32

    def __contains__(self, line: bytes) -> bool:
        digest = _digest(line)
        return self._table[self._find(digest)] == digest

    def add(self, line: bytes) -> None:
        """Add a line."""
        digest = _digest(line)
        slot = self._find(digest)
        if self._table[slot] == digest:
            return
        self._table[slot] = digest
        self._free -= 1
        if not self._free:
            self._grow()

    def _find(self, digest: int) -> int:
        table, mask = self._table, len(self._table) - 1
        slot = digest & mask
        while table[slot] not in (0, digest):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        earlier, self._table = self._table, array("Q", [0]) * (2 * len(self._table))
        self._free = len(earlier) // 2
        for digest in filter(None, earlier):
            self._table[self._find(digest)] = digest


def _digest(line: bytes) -> int:
    return int.from_bytes(blake2b(line, digest_size=8).digest()) or 1
