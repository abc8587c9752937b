"""A second signal ends this process within a second, even if the interpreter is busy in C code.

Python runs its handlers between two bytecodes of the main thread. A single long call (a power of huge numbers
in a template, a huge document) lets none run, in any thread. So another process counts the signals.
``faulthandler`` writes a few lines to a pipe in the signal handler itself, which needs no interpreter. The
process at the other end kills this one if it still runs a moment after the second signal.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from typing import Self

GRACE = 0.7
"""Seconds from the second signal to the kill, in which a process that is not stuck ends by itself."""

COUNTED = (signal.SIGINT, signal.SIGTERM)
"""A terminal that closes may send SIGHUP twice, so it is not counted."""

_CODE = """
import os, select, signal, sys, time
parent, grace = int(sys.argv[1]), float(sys.argv[2])
mark, seen, signals = b"most recent call first", b"", 0
while signals < 2:
    data = os.read(0, 65536)
    if not data:
        sys.exit()
    seen += data
    signals += seen.count(mark)
    seen = seen[seen.rfind(mark) + len(mark):] if mark in seen else seen[-len(mark):]
end = time.monotonic() + grace
while (rest := end - time.monotonic()) > 0:
    if select.select([0], [], [], rest)[0] and not os.read(0, 65536):
        sys.exit()
if os.getppid() == parent:
    os.kill(parent, signal.SIGKILL)
    os.write(2, b"promptjobs: killed by a second signal while it was busy; run the same command to resume\\n")
"""


class Watchdog:
    """The counting process, for the duration of the ``with`` block. If it cannot be started, there is none.

    For the main thread of our own process. Call ``watch`` again after setting a handler.
    """

    def __init__(self) -> None:
        self._process: int | None = None
        self._pipe: int | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            with suppress(OSError):
                self._start()
        self.watch()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        if self._process is not None:
            with suppress(OSError):
                os.kill(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
            self._process = None

    def watch(self) -> None:
        """Count signals from now on; the current handlers get them, too."""
        if self._pipe is not None:
            for number in COUNTED:
                faulthandler.register(number, file=self._pipe, all_threads=False, chain=True)

    def rest(self) -> None:
        """Stop counting signals, so that handlers can be set."""
        if self._pipe is not None:
            for number in COUNTED:
                faulthandler.unregister(number)

    def _start(self) -> None:
        theirs, ours = os.pipe()
        try:
            os.set_blocking(ours, False)
            self._process = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", "-c", _CODE, str(os.getpid()), str(GRACE)],
                {},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 0)],
                setsigmask=[*COUNTED, signal.SIGHUP],  # they are for this process
            )
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._pipe = ours
