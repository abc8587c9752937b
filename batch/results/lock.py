"""The lock of an output file: one run at a time.

The operating system holds the lock and releases it when the process ends, in any way. The lock file is not
removed; its text names the holder for the user. A file system without such locks is refused: a lock by the
mere existence of a file would outlive a killed process.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec
from filelock import FileLock, Timeout

from batch.errors import OutputLockedError, OutputWriteError
from batch.results.filesystem import Disk, open_own, reason
from batch.terminal_escaping import escape

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from types import TracebackType

_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}


class Holder(msgspec.Struct, frozen=True):
    """The process that holds the lock; ``started`` is UTC, ISO 8601."""

    pid: int
    host: str
    started: str


_PATIENCE, _POLL = 0.2, 0.02
"""Seconds that a run tries to take the lock: a command that asks for its holder has it for microseconds."""


class OutputLock:
    """Locks an output file for this process, from ``acquire`` to ``release`` or as a context manager."""

    def __init__(self, output: Path) -> None:
        self._output = Path(os.path.realpath(output))  # two paths of one file are one output
        self._path = lock_path(self._output)
        self._lock = FileLock(
            self._path, timeout=_PATIENCE, poll_interval=_POLL, thread_local=False, fallback_to_soft=False
        )

    def acquire(self) -> None:
        """Acquire the lock within 0.2 s; a missing directory of the output is created.

        Raises ``OutputLockedError``, which names the holder, and ``OutputWriteError`` if the lock file cannot
        be created.
        """
        try:
            Disk().make_directories(self._path.parent)
            self._take()
            self._write_holder()
        except Timeout:
            raise OutputLockedError(f"{self._output} is locked by {_described(self._path)}") from None
        except (OSError, NotImplementedError) as error:
            self.release()
            whose = _owner(self._path) if isinstance(error, PermissionError) else ""
            raise OutputWriteError(f"{self._output} cannot be locked: {reason(error)}{whose}") from error

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take(self) -> None:
        try:
            self._lock.acquire()
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            what = "its file system has no locks; put the output on another one"
            raise OSError(error.errno, what) from error

    def _write_holder(self) -> None:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        text = msgspec.json.encode(Holder(os.getpid(), socket.gethostname(), started))
        descriptor = open_own(self._path, os.O_WRONLY | os.O_TRUNC, like=self._output)
        with open(descriptor, "wb") as file:
            file.write(text)


def lock_path(output: Path) -> Path:
    """Return the lock file of an output; ``output`` is free of symbolic links."""
    return output.with_name(f"{output.name}.lock")


def holder(output: Path) -> Holder | None:
    """Return the process that runs a job into an output now; ``None`` if there is none.

    ``pid`` is 0 while the process has not signed the lock yet. Changes nothing. A lock file that cannot be
    read counts as not held.
    """
    if sys.platform == "win32":  # there a lock file that is held cannot be read
        return None
    path = lock_path(Path(os.path.realpath(output)))
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released when the file is closed
        except BlockingIOError:
            return _signed(file.read()) or Holder(0, "", "")
        except OSError:
            return None
    return None


def _signed(text: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(text, type=Holder)
    except ValueError:
        return None


def _described(lock_file: Path) -> str:
    """Describe the holder; its record may be missing if it has just acquired the lock."""
    signed = None
    with suppress(OSError):
        signed = _signed(lock_file.read_bytes())
    return "another run" if signed is None else f"another run ({described(signed)})"


def described(held_by: Holder) -> str:
    """Return the holder in words, fit for a terminal."""
    if not held_by.pid:
        return "a process that has just begun"
    return escape(f"process {held_by.pid} on {held_by.host}, since {held_by.started}")


def _owner(lock_file: Path) -> str:
    """Describe the owner of a lock file without access, as after a run as root; empty if there is no file."""
    with suppress(OSError):
        number = lock_file.stat().st_uid
        owner = f"the user {number}"
        with suppress(KeyError, NotImplementedError):  # unknown user id, or Windows
            owner = lock_file.owner()
        return escape(f"; {lock_file} belongs to {owner}")
    return ""
