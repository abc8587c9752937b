"""The few file operations that durability rests on, as a Protocol and as the real thing.

Everything that the result log does to a disk goes through ``FileSystem``, so that a test can put a disk
there which is full, which fails, or which loses its power between any two operations.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from batch.errors import ForeignOutputError

if sys.platform == "darwin":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PRIVATE_TEMPORARY = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_WRITE_BUFFER = 1 << 18
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_READ_BUFFER = 1 << 14  # lines are also read out of order, and then each costs a buffer


def reason(error: Exception) -> str:
    """Why an operation failed, without the number and the names that Python puts around it."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class FileState(NamedTuple):
    """A file's identity, and its length in bytes."""

    device: int
    inode: int
    size: int


class FileSystem(Protocol):
    """Blocking file operations; every one may raise ``OSError``."""

    def make_directories(self, path: Path) -> None:
        """Create the directory and its missing parents, durably."""
        ...

    def open_read(self, path: Path) -> BinaryIO:
        """A buffered stream of the file's bytes; ``ForeignOutputError`` where it is no regular file."""
        ...

    def state(self, file: Path | int) -> FileState | None:
        """The state of a path or a descriptor; ``None`` where the path does not exist."""
        ...

    def open_append(self, path: Path, *, like: Path) -> int:
        """A descriptor that writes at the end; the file gets the owner and the mode of ``like``.

        A symbolic link is not followed.
        """
        ...

    def create(self, path: Path, *, like: Path) -> int:
        """A descriptor of a new file with the owner and the mode of ``like``, where that exists."""
        ...

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data and return how many bytes that were."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return once the file's content would survive a power cut."""
        ...

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file to a length in bytes."""
        ...

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Give the source the target's name, in one step."""
        ...

    def remove(self, path: Path) -> None:
        """Remove the file if it is there."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return once the names in the directory would survive a power cut."""
        ...


class Disk:
    """The machine's own file system."""

    def make_directories(self, path: Path) -> None:
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for directory in reversed(missing):
            try:
                directory.mkdir(exist_ok=True)
            except FileExistsError as error:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory)) from error
            self.sync_directory(directory.parent)

    def open_read(self, path: Path) -> BinaryIO:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not make us wait
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ForeignOutputError(f"{path} is not a regular file")
        return open(descriptor, "rb", buffering=_READ_BUFFER)

    def state(self, file: Path | int) -> FileState | None:
        try:
            found = os.stat(file)
        except FileNotFoundError:
            return None
        return FileState(found.st_dev, found.st_ino, found.st_size)

    def open_append(self, path: Path, *, like: Path) -> int:
        descriptor = open_own(path, _APPEND, like=like)
        if path != like:
            match(descriptor, like)
        return descriptor

    def create(self, path: Path, *, like: Path) -> int:
        descriptor = os.open(path, _PRIVATE_TEMPORARY, _mode(like))
        match(descriptor, like)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # there, fsync leaves the data in the drive's cache
        else:
            os.fsync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        os.ftruncate(descriptor, length)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_all(files: FileSystem, descriptor: int, data: bytes) -> None:
    """Write all of the data. A disk that takes only a part is asked again, so that it names its reason."""
    rest = memoryview(data)
    while rest:
        written = files.write(descriptor, rest)
        if not written:
            raise OSError("the file takes no more bytes")
        rest = rest[written:]


def append_durably(files: FileSystem, path: Path, chunks: Iterable[bytes], *, like: Path) -> None:
    """Append to a file, new or old, and return once that would survive a power cut."""
    descriptor = files.open_append(path, like=like)
    try:
        _write_gathered(files, descriptor, chunks)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.sync_directory(path.parent)


def replace_content(
    files: FileSystem, path: Path, chunks: Iterable[bytes], *, like: Path | None = None
) -> None:
    """Give a file, new or old, a new content in one step: whatever happens, it has the old one or the new.

    The file gets the owner and the mode of ``like``, by default its own. An error leaves the old content in
    place and no temporary file.
    """
    temporary = temporary_name(path)
    try:
        descriptor = files.create(temporary, like=like or path)
        try:
            _write_gathered(files, descriptor, chunks)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.replace(temporary, path)
    except BaseException:  # also of whoever gives the chunks, and a cancellation
        with suppress(OSError):
            files.remove(temporary)
        raise
    files.sync_directory(path.parent)


def _write_gathered(files: FileSystem, descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write the chunks, which may be many and small, in larger ones."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _WRITE_BUFFER:
            write_all(files, descriptor, bytes(gathered))
            gathered.clear()
    write_all(files, descriptor, bytes(gathered))


def temporary_name(path: Path) -> Path:
    """Where ``replace_content`` prepares a file's new content; a crash may leave it behind."""
    return path.with_name(f".{path.name}.tmp")


def open_own(path: Path, flags: int, *, like: Path) -> int:
    """Open a regular file beside an output; a new one is no more open to others than ``like``.

    Raises ``OSError``, also for a symbolic link, which could lead out of the job's folder.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, _mode(like))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path.name} is a symbolic link", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file", str(path))
    return descriptor


def match(descriptor: int, like: Path) -> None:
    """Give an open file the owner and the mode of ``like``, where that exists, as far as this process may.

    A file with several names stays as it is: another folder may rely on its owner.
    """
    if os.fstat(descriptor).st_nlink > 1:
        return
    try:
        found = like.stat()
    except FileNotFoundError:
        return
    for owner in (found.st_uid, -1):  # only root may give files away, but a group of one's own can be kept
        with suppress(OSError):
            os.fchown(descriptor, owner, found.st_gid)
            break
    with suppress(PermissionError):  # the file is another user's
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))  # the umask may have taken bits that it had


def _mode(like: Path) -> int:
    try:
        return stat.S_IMODE(like.stat().st_mode)
    except FileNotFoundError:
        return 0o666
