"""A process of our own that checks answers; blocking, for one user at a time."""

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
"""Seconds for an answer of the process, its start included, however busy the machine is."""

TOO_SLOW = f"took longer than {SECONDS} s"

_BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from batch.checking.worker import main; main()"
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables that Python may need to start. No key is among them."""


class CheckingProcess:
    """Started with the first task, and again after a task that killed it; ended by ``close``."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None
        self._is_closed = False
        self._in_use = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, task: CheckRequest) -> CheckResult:
        """What the process says of the task. Whatever happens to it is said of this task alone."""
        with self._in_use:
            try:
                return self._asked(msgspec.msgpack.encode(task))
            except (OSError, EOFError) as error:
                return unfinished(self._buried(error))

    def close(self) -> None:
        """End the process; a check that another thread waits for ends, too."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._in_use:
            self._bury()

    def _asked(self, data: bytes) -> CheckResult:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - asked for
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(len(data).to_bytes(8, "big") + data)
        process.stdin.flush()
        return msgspec.json.decode(_reply(process.stdout), type=CheckResult)

    def _running(self) -> Popen[bytes]:
        if self._process is None and not self._is_closed:
            self._process = _started()
        if self._process is None or self._is_closed:  # ``close`` may have missed one that was just starting
            if self._process is not None:
                self._process.kill()
            raise EOFError
        return self._process

    def _buried(self, error: Exception) -> str:
        """How the process died. It is gone then, and the next task starts another."""
        if isinstance(error, TimeoutError) and self._process is not None:
            self._process.kill()
        code = self._bury()
        if code is None:
            return f"could not be started: {one_line(error)}"
        if isinstance(error, TimeoutError) or (sys.platform != "win32" and code == -signal.SIGPROF):
            return TOO_SLOW
        return f"ended the process that does it (exit code {code})"

    def _bury(self) -> int | None:
        """Let go of a process that ends; return its exit code, ``None`` where there is no process."""
        process, self._process = self._process, None
        if process is None:
            return None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what it could not be told any more
                    stream.close()
        return process.wait()


def _started() -> Popen[bytes]:
    from subprocess import DEVNULL, PIPE, Popen  # noqa: PLC0415 - most runs never need it

    root = Path(__file__).parent.parent.parent
    command = [sys.executable, "-P", "-c", _BOOT, str(root)]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment)  # noqa: S603


def _reply(stream: IO[bytes]) -> bytes:
    """One reply. Raises ``EOFError`` where there will be none, ``TimeoutError`` where it takes too long."""
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
