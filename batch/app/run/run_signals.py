"""Stop a run before its end: by a signal, or by a time limit.

While requests are sent, a signal drains the run (``Stopper``). Before and after that, it cancels the run
(``Signals``); outside of runs, it ends the command (``ended_by_signals``).
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from batch.app.run.command_signals import ended_by_signals, handled_signals, stopped
from batch.app.run.watchdog import Watchdog
from batch.exit_codes import SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.observers import Observers
    from batch.runner import Run

__all__ = ["UNFINISHED", "UNSENT", "Signals", "Stopper", "ended_by_signals"]

UNSENT = "before anything was sent"
UNFINISHED = "while the output was being finished; it contains all answers"


class Signals:
    """The handling of SIGINT, SIGTERM and SIGHUP during one run.

    The first signal cancels the ``stoppable`` block, now or as soon as there is one, unless signals are
    ``redirected_to`` another handler. The next ends the process immediately, after calling ``before_exit``
    with the reason. A run survives being killed at any moment, and waiting for a hanging disk cannot be
    cancelled. SIGHUP only counts as the first: a terminal that closes may send it twice.
    """

    def __init__(self, before_exit: Callable[[str], None], watchdog: Watchdog | None = None) -> None:
        self.before_exit = before_exit
        self._watchdog = watchdog or Watchdog()
        self._number: int | None = None
        self._scope: anyio.CancelScope | None = None
        self._handler: Callable[[int], None] = self._stop

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Handle signals within this context. One that came too late is raised again afterwards."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in handled_signals()}
        for number in before:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            with self._watchdog.relayed(loop):
                yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)
            self._watchdog.watch()
        if self._number is not None:
            signal.raise_signal(self._number)

    @contextmanager
    def stoppable(self, when: str) -> Iterator[None]:
        """Cancel this context on a signal; then raise ``StoppedError``, which states ``when`` it happened."""
        with anyio.CancelScope() as self._scope:
            if self._number is not None:
                self._scope.cancel()
            yield
        self._scope = None
        if self._number is not None:
            raise stopped(self._number, when)

    @contextmanager
    def redirected_to(self, handler: Callable[[int], None]) -> Iterator[None]:
        """Within this context, call only ``handler`` with each signal's number."""
        self._handler = handler
        try:
            yield
        finally:
            self._handler = self._stop

    def _on_signal(self, number: int) -> None:
        self._handler(number)

    def _stop(self, number: int) -> None:
        if self._number is not None and _is_repeated(number):
            return
        if self._number is not None:
            self.before_exit(str(stopped(number, "at once")))
            os._exit(SIGNALLED + number)
        self._number = number
        if self._scope is not None:
            self._scope.cancel()


def _is_repeated(number: int) -> bool:
    """Return whether a repeated signal has no further effect."""
    return number == getattr(signal, "SIGHUP", None)


class Stopper:
    """Drains a run when a signal or a time limit requires it, and records why."""

    def __init__(self, run: Run, observers: Observers, *, grace: float) -> None:
        self._run = run
        self._observers = observers
        self._grace = grace
        self._signalled = anyio.Event()
        self.signal: int | None = None
        self.has_second_signal = False
        self.out_of_time = False

    def on_signal(self, number: int) -> None:
        """Drain at the first signal; stop now at a second SIGINT or SIGTERM."""
        if self.signal is not None:
            if not _is_repeated(number):
                self.has_second_signal = True
                self._run.cancel()
            return
        self.signal = number
        self._observers.warn(
            f"{signal.Signals(number).name}: no new requests are sent; requests in flight have "
            f"{self._grace:g} s to finish; a second signal stops now"
        )
        self._run.drain()
        self._signalled.set()

    async def after_signal(self) -> None:
        """After the first signal, give requests in flight ``grace`` seconds."""
        await self._signalled.wait()
        await self._cancel_after(self._grace)

    async def after(self, seconds: float) -> None:
        """Drain when the time is up."""
        await anyio.sleep(seconds)
        self.out_of_time = True
        self._observers.warn(f"the time limit of {seconds:g} s is reached; no new requests are sent")
        self._run.drain()
        await self._cancel_after(self._grace)

    async def _cancel_after(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._run.cancel()
