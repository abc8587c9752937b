"""A subprocess that checks answers; blocking, for one user at a time."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import msgspec

from batch.checking.messages import SECONDS, CheckResult, unfinished
from batch.errors import one_line

if TYPE_CHECKING:
    from subprocess import Popen

    from batch.checking.messages import CheckRequest

PATIENCE = 15.0
"""Timeout for an answer of the process, including its start, in seconds."""

TOO_SLOW = f"took longer than {SECONDS} s"

_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from batch.checking.worker import main; main()"
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Environment variables that Python may need to start. None of them is a key."""


class CheckingProcess:
    """A process that starts with the first task and again after a task that killed it; ``close`` ends it."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None
        self._is_closed = False
        self._in_use = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, task: CheckRequest) -> CheckResult:
        """Return the result of a task. A failure of the process counts for this task only."""
        with self._in_use:
            try:
                return self._ask(msgspec.msgpack.encode(task))
            except (OSError, EOFError) as error:
                return unfinished(self._end_of_process(error))

    def close(self) -> None:
        """End the process; a check that another thread waits for ends too."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._in_use:
            self._reap()

    def _ask(self, data: bytes) -> CheckResult:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - opened as a pipe
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(len(data).to_bytes(8, "big") + data)
        process.stdin.flush()
        return msgspec.json.decode(_reply(process.stdout), type=CheckResult)

    def _running(self) -> Popen[bytes]:
        if self._process is None and not self._is_closed:
            self._process = _start_process()
        if self._process is None or self._is_closed:  # ``close`` may have missed a starting process
            if self._process is not None:
                self._process.kill()
            raise EOFError
        return self._process

    def _end_of_process(self, error: Exception) -> str:
        """Return how the process ended. The next task starts another one."""
        if isinstance(error, TimeoutError) and self._process is not None:
            self._process.kill()
        code = self._reap()
        if code is None:
            return f"could not be started: {one_line(error)}"
        if isinstance(error, TimeoutError) or (sys.platform != "win32" and code == -signal.SIGPROF):
            return TOO_SLOW
        return f"ended the checking process (exit code {code})"

    def _reap(self) -> int | None:
        """Release an ending process; return its exit code, ``None`` without a process."""
        process, self._process = self._process, None
        if process is None:
            return None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # data that could not be written
                    stream.close()
        return process.wait()


def _start_process() -> Popen[bytes]:
    from subprocess import DEVNULL, PIPE, Popen  # noqa: PLC0415 - most runs never need it

    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-P", "-c", _BOOT, str(root)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment)  # noqa: S603


def _reply(stream: IO[bytes]) -> bytes:
    """Return one reply. Raises ``EOFError`` if there will be none, ``TimeoutError`` after the timeout."""
    from selectors import EVENT_READ, DefaultSelector  # noqa: PLC0415

    with DefaultSelector() as selector:
        selector.register(stream, EVENT_READ)
        if not selector.select(PATIENCE):
            raise TimeoutError
    head = stream.read(8)
    data = stream.read(int.from_bytes(head, "big"))
    if not data:
        raise EOFError
    return data
