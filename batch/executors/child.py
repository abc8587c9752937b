"""Start a worker as a child process with a socket of its own, and end it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from batch.executors.tied import tie_to; "
    "tie_to(int(sys.argv[3])); from batch.executors.worker import main; main(int(sys.argv[2]))"
)
"""Runs the worker with the same code as this process, even in a checkout that is not installed."""

PATIENCE = 2.0
"""Seconds in which a process that has closed its connection ends by itself."""

_STDERR_TAIL = 4000
"""Bytes of a worker's standard error that are read for an error message."""


class Child:
    """A worker's process. ``socket`` is this end of its connection.

    The worker has the environment of this process, except for standard streams and blocked signals: those of
    a terminal reach the whole process group, and its own ones would end it before it can ignore them.
    """

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, stderr: IO[bytes]) -> None:
        self.socket = ours
        self._process = process
        self._stderr = stderr

    @classmethod
    def start(cls) -> Self:
        """Start the process. Raises ``OSError``.

        On Linux it ends with the thread that calls this, which has to be that of the run.
        """
        ours, theirs = socket.socketpair()
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``end``
        try:
            with theirs, _blocked_signals():
                process = subprocess.Popen(  # noqa: S603
                    _command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    pass_fds=[theirs.fileno()],
                )
        except BaseException:
            ours.close()
            stderr.close()
            raise
        ours.settimeout(0)
        return cls(process, ours, stderr)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def end(self, *, is_ending: bool) -> str:
        """Kill the process and wait for its end, in any case; return how it ended, as an error says it.

        One that ``is_ending`` has a moment to end by itself, so that it can say why.
        """
        with anyio.CancelScope(shield=True):
            if is_ending:
                with suppress(subprocess.TimeoutExpired):
                    await anyio.to_thread.run_sync(self._process.wait, PATIENCE)
            self._process.kill()
            code = await anyio.to_thread.run_sync(self._process.wait)
        return f"{_how(code)}{self._last_words()}"

    def _last_words(self) -> str:
        with self._stderr as stderr:
            stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _STDERR_TAIL))
            lines = stderr.read().decode(errors="replace").split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")


def _command(descriptor: int) -> list[str]:
    """Return the command line; ``-P`` excludes the modules of the current directory."""
    root = Path(__file__).parent.parent.parent
    return [sys.executable, "-P", "-c", _BOOT, str(root), str(descriptor), str(os.getpid())]


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block signals, which a new process inherits; those that arrive meanwhile are handled afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
