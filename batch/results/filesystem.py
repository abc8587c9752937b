"""The file operations that durability depends on, as a Protocol and its implementation.

The result log uses only ``FileSystem`` for its disk operations. So a test can use a disk that is full, that
fails, or that loses power between any two operations.
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
_READ_BUFFER = 1 << 14  # lines are also read out of order, which costs a buffer each


def reason(error: Exception) -> str:
    """Return the reason of a failed operation, without Python's error number and file names."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class FileState(NamedTuple):
    """A file's identity, and its length in bytes."""

    device: int
    inode: int
    size: int


class FileSystem(Protocol):
    """Blocking file operations; each may raise ``OSError``."""

    def make_directories(self, path: Path) -> None:
        """Create the directory and its missing parents, durably."""
        ...

    def open_read(self, path: Path) -> BinaryIO:
        """Open a file as a buffered stream. Raises ``ForeignOutputError`` if it is not a regular file."""
        ...

    def state(self, file: Path | int) -> FileState | None:
        """Return the state of a path or a descriptor; ``None`` if the path does not exist."""
        ...

    def open_append(self, path: Path, *, like: Path) -> int:
        """Return a descriptor that appends; the file gets the owner and the mode of ``like``.

        A symbolic link is not followed.
        """
        ...

    def create(self, path: Path, *, like: Path) -> int:
        """Return a descriptor of a new file with the owner and the mode of ``like``, if that exists."""
        ...

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data; return the number of written bytes."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return once the file's content would survive a power failure."""
        ...

    def truncate(self, descriptor: int, length: int) -> None:
        """Truncate the file to a length in bytes."""
        ...

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Rename the source to the target in one step."""
        ...

    def remove(self, path: Path) -> None:
        """Remove the file if it exists."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return once the names in the directory would survive a power failure."""
        ...


class Disk:
    """The real file system."""

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
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe must not block
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
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # on macOS, fsync leaves the data in the drive's cache
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
    """Write all of the data. After a partial write, write again, so that the disk reports its error."""
    rest = memoryview(data)
    while rest:
        written = files.write(descriptor, rest)
        if not written:
            raise OSError("the file accepts no more bytes")
        rest = rest[written:]


def append_durably(files: FileSystem, path: Path, chunks: Iterable[bytes], *, like: Path) -> None:
    """Append to a new or existing file, and return once that would survive a power failure."""
    descriptor = files.open_append(path, like=like)
    try:
        _write_gathered(files, descriptor, chunks)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.sync_directory(path.parent)


def replace_content(
    files: FileSystem,
    path: Path,
    chunks: Iterable[bytes],
    *,
    like: Path | None = None,
    is_durable: bool = True,
) -> None:
    """Replace the content of a new or existing file in one step: a crash leaves the old or the new content.

    The file gets the owner and the mode of ``like``, by default its own. An error leaves the old content in
    place and no temporary file. Unless ``is_durable``, a power failure may leave anything, and nothing waits
    for the disk.
    """
    temporary = temporary_name(path)
    files.remove(temporary)  # left by a killed process
    try:
        descriptor = files.create(temporary, like=like or path)
        try:
            _write_gathered(files, descriptor, chunks)
            if is_durable:
                files.sync(descriptor)
        finally:
            files.close(descriptor)
        files.replace(temporary, path)
    except BaseException:  # also from the iterator of chunks, and a cancellation
        with suppress(OSError):
            files.remove(temporary)
        raise
    if is_durable:
        files.sync_directory(path.parent)


def _write_gathered(files: FileSystem, descriptor: int, chunks: Iterable[bytes]) -> None:
    """Write the chunks, which may be many and small, in larger blocks."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        if len(gathered) >= _WRITE_BUFFER:
            write_all(files, descriptor, bytes(gathered))
            gathered.clear()
    write_all(files, descriptor, bytes(gathered))


def temporary_name(path: Path) -> Path:
    """Return the path at which ``replace_content`` prepares content; a crash may leave the file."""
    return path.with_name(f".{path.name}.tmp")


def open_own(path: Path, flags: int, *, like: Path) -> int:
    """Open a regular file next to an output; a new one has no wider permissions than ``like``.

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
    """Give an open file the owner and the mode of ``like``, if that exists, as far as permissions allow.

    A file with several hard links is not changed: another folder may depend on its owner.
    """
    if os.fstat(descriptor).st_nlink > 1:
        return
    try:
        found = like.stat()
    except FileNotFoundError:
        return
    for owner in (found.st_uid, -1):  # only root may change the owner, but a group of the user can be kept
        with suppress(OSError):
            os.fchown(descriptor, owner, found.st_gid)
            break
    with suppress(PermissionError):  # the file belongs to another user
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))  # the umask may have removed mode bits


def _mode(like: Path) -> int:
    try:
        return stat.S_IMODE(like.stat().st_mode)
    except FileNotFoundError:
        return 0o666
