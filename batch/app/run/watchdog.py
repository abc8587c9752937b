"""A second signal ends this process within a second, even if the interpreter is busy in C code.

Python runs its handlers between two bytecodes of the main thread. A single long call (a power of huge numbers
in a template, a huge document) lets none run, in any thread. So another process counts the signals, and kills
this one if it still runs a moment after the second.

CPython writes each signal's number to a file descriptor in the signal handler itself, which needs no
interpreter (``signal.set_wakeup_fd``). Here that is a socket. The other process peeks at what is still unread
there, and this one reports how many signals it has handled. (``faulthandler`` could report signals, too, but
it walks the frames of running code, and crashes CPython 3.13 where one is being cleared.)
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

GRACE = 0.7
"""Seconds from the second signal to the kill, in which a process that is not stuck ends by itself."""

COUNTED = (signal.SIGINT, signal.SIGTERM)
"""A terminal that closes may send SIGHUP twice, so it is not counted."""

_CODE = """
import os, select, sys, time
import _socket  # starts in half the time of socket
parent, grace, counted = int(sys.argv[1]), float(sys.argv[2]), {int(each) for each in sys.argv[3:]}
signals = _socket.socket(fileno=0)
handled, end = 0, None
unread = b""
while end is None or time.monotonic() < end:
    watched = [1] if unread else [0, 1]
    if 1 in select.select(watched, [], [], 0.05 if unread or end else None)[0]:
        data = os.read(1, 4096)
        if not data:
            sys.exit()
        handled += len(data)
    try:
        unread = signals.recv(4096, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        unread = b""
    if end is None and handled + sum(each in counted for each in unread) > 1:
        end = time.monotonic() + grace
if os.getppid() == parent:
    os.kill(parent, 9)
    os.write(2, b"promptjobs: killed by a second signal while it was busy; run the same command to resume\\n")
"""


class _Counter(NamedTuple):
    """The counting process: its id, the socket of unread signals, and the pipe for those that are handled."""

    process: int
    unread: socket.socket
    signals: socket.socket
    handled: int


class Watchdog:
    """The counting process, for the duration of the ``with`` block. If it cannot be started, there is none.

    For the main thread of our own process. Python handlers of signals call ``take``. Event loops have a
    wakeup descriptor of their own; ``relayed`` counts the signals of one, too. Outside the block, nothing is
    counted.
    """

    def __init__(self) -> None:
        self._counter: _Counter | None = None

    def __enter__(self) -> Self:
        if sys.platform != "win32":
            with suppress(OSError):
                self._counter = _started()
        self.watch()
        return self

    def __exit__(self, *_: object) -> None:
        counter, self._counter = self._counter, None
        if counter is None:
            return
        _replace_wakeup_fd(counter.signals.fileno(), -1)
        counter.unread.close()
        counter.signals.close()
        os.close(counter.handled)
        with suppress(OSError):
            os.kill(counter.process, signal.SIGKILL)
            os.waitpid(counter.process, 0)

    def watch(self) -> None:
        """Count signals from now on, unless an event loop gets them."""
        if self._counter is not None:
            _replace_wakeup_fd(-1, self._counter.signals.fileno())

    def take(self) -> bytes:
        """Return the numbers of signals that have arrived; this process is handling them."""
        if self._counter is None:
            return b""
        try:
            numbers = self._counter.unread.recv(4096)
        except BlockingIOError:
            return b""
        with suppress(OSError):  # the counting process is gone
            os.write(self._counter.handled, bytes(each for each in numbers if each in COUNTED))
        return numbers

    @contextmanager
    def relayed(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Within this context, count the signals of a running loop, which gets them, too."""
        if self._counter is None:
            yield
            return
        unread, signals = self._counter.unread, self._counter.signals
        wakeup_fd = signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
        loop.add_reader(unread, lambda: _write(wakeup_fd, self.take()))
        try:
            yield
        finally:
            loop.remove_reader(unread)
            signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)
            _write(wakeup_fd, self.take())


def _started() -> _Counter:
    unread, signals = socket.socketpair()
    try:
        unread.settimeout(0)
        signals.settimeout(0)
        process, handled = _spawn(unread.fileno())
    except OSError:
        unread.close()
        signals.close()
        raise
    return _Counter(process, unread, signals, handled)


def _spawn(unread: int) -> tuple[int, int]:
    """Return the id of the counting process, and the descriptor that it reads handled signals from."""
    theirs, ours = os.pipe()
    try:
        os.set_blocking(ours, False)
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", _CODE, *map(str, [os.getpid(), GRACE, *map(int, COUNTED)])],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, unread, 0), (os.POSIX_SPAWN_DUP2, theirs, 1)],
            setsigmask=[*COUNTED, signal.SIGHUP],  # they are for this process
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def _replace_wakeup_fd(old: int, new: int) -> None:
    """Set the wakeup descriptor, if nothing else has set it meanwhile."""
    current = signal.set_wakeup_fd(new, warn_on_full_buffer=False)
    if current != old:
        signal.set_wakeup_fd(current, warn_on_full_buffer=False)


def _write(descriptor: int, data: bytes) -> None:
    if data and descriptor >= 0:
        with suppress(OSError):  # it is full of signals
            os.write(descriptor, data)
