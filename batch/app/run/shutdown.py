"""Stopping a run before its end: by a signal, or by a limit of time.

While requests are sent, a signal drains the run (``Stopper``). Before and after that it cancels what the run
does (``Signals``), and outside of runs it ends the command (``ended_by_signals``).
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from batch.app.run.interrupt import ended_by_signals, heard_signals, stopped
from batch.exit_codes import SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.app.run.watchdog import Watchdog
    from batch.observers import Observers
    from batch.runner import Run

__all__ = ["UNFINISHED", "UNSENT", "Signals", "Stopper", "ended_by_signals"]

UNSENT = "before anything was sent"
UNFINISHED = "while the output was being finished, in which all answers are"


class Signals:
    """What SIGINT, SIGTERM and SIGHUP do to one run.

    One cancels what is ``stoppable``, now or as soon as there is anything, unless others see to it
    (``obeyed``). The next ends the process on the spot, once ``last_words`` has been told what does so: a run
    survives being killed at any moment, and what waits for a hanging disk cannot be cancelled. SIGHUP only
    counts as the first: a terminal that is closed may send it twice.
    """

    def __init__(self, last_words: Callable[[str], None], watchdog: Watchdog | None = None) -> None:
        self.last_words = last_words
        self._watchdog = watchdog
        self._number: int | None = None
        self._scope: anyio.CancelScope | None = None
        self._obey: Callable[[int], None] = self._stop

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within, signals come here. One that came too late to stop the run goes to who had them before."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in heard_signals()}
        with self._unwatched():
            for number in before:
                loop.add_signal_handler(number, self._come, number)
        try:
            yield
        finally:
            with self._unwatched():
                for number, handler in before.items():
                    loop.remove_signal_handler(number)
                    signal.signal(number, handler)
        if self._number is not None:
            signal.raise_signal(self._number)

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        """Within, handlers can be set; then the watchdog counts again what these get."""
        if self._watchdog is not None:
            self._watchdog.rest()
        yield
        if self._watchdog is not None:
            self._watchdog.watch()

    @contextmanager
    def stoppable(self, when: str) -> Iterator[None]:
        """Within, a signal cancels; then ``StoppedError`` is raised, which says ``when`` that was."""
        with anyio.CancelScope() as self._scope:
            if self._number is not None:
                self._scope.cancel()
            yield
        self._scope = None
        if self._number is not None:
            raise stopped(self._number, when)

    @contextmanager
    def obeyed(self, obey: Callable[[int], None]) -> Iterator[None]:
        """Within, ``obey`` is told each signal's number, and nothing else comes of it."""
        self._obey = obey
        try:
            yield
        finally:
            self._obey = self._stop

    def _come(self, number: int) -> None:
        self._obey(number)

    def _stop(self, number: int) -> None:
        if self._number is not None and _is_repeated(number):
            return
        if self._number is not None:
            self.last_words(str(stopped(number, "at once")))
            os._exit(SIGNALLED + number)
        self._number = number
        if self._scope is not None:
            self._scope.cancel()


def _is_repeated(number: int) -> bool:
    """Whether a signal says nothing new where another has come before."""
    return number == getattr(signal, "SIGHUP", None)


class Stopper:
    """Drains a run when it is told to, and remembers why."""

    def __init__(self, run: Run, observers: Observers, *, grace: float) -> None:
        self._run = run
        self._observers = observers
        self._grace = grace
        self._told = anyio.Event()
        self.signal: int | None = None
        self.told_twice = False
        self.out_of_time = False

    def on_signal(self, number: int) -> None:
        """The first one drains; a second SIGINT or SIGTERM stops now."""
        if self.signal is not None:
            if not _is_repeated(number):
                self.told_twice = True
                self._run.cancel()
            return
        self.signal = number
        self._observers.warn(
            f"{signal.Signals(number).name}: sending nothing more; what is under way has "
            f"{self._grace:g} s, a second signal stops now"
        )
        self._run.drain()
        self._told.set()

    async def after_signal(self) -> None:
        """Once a signal has come, what is under way has ``grace`` seconds."""
        await self._told.wait()
        await self._cancel_after(self._grace)

    async def after(self, seconds: float) -> None:
        """Drain once the time is up."""
        await anyio.sleep(seconds)
        self.out_of_time = True
        self._observers.warn(f"the time limit of {seconds:g} s is reached: sending nothing more")
        self._run.drain()
        await self._cancel_after(self._grace)

    async def _cancel_after(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._run.cancel()
