"""Stopping a run before its end: by a signal, or by a limit of time.

While requests are sent, a signal drains the run (``Stopper``). Before and after that it cancels what the run
does (``Signals``), and outside of runs it ends the command (``ended_by_signals``).
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import anyio

from batch.errors import StoppedError
from batch.policy.exits import SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.ports import Reporter
    from batch.runner import Run

UNSENT = "before anything was sent"
UNFINISHED = "while the output was being finished, in which all answers are"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupt(KeyboardInterrupt):
    """So called that nobody takes it for an error, and event loops let it pass."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, SIGINT and SIGTERM raise ``StoppedError``; for the main thread of a process of our own."""

    def end(number: int, _: object) -> NoReturn:
        raise _Interrupt(number)

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield
    except _Interrupt as interrupt:
        raise _stopped(interrupt.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Signals:
    """What SIGINT and SIGTERM do to one run.

    One cancels what is ``stoppable``, now or as soon as there is anything, unless others see to it
    (``obeyed``). The next ends the process on the spot, once ``last_words`` has been told what does so: a run
    survives being killed at any moment, and what waits for a hanging disk cannot be cancelled.
    """

    def __init__(self, last_words: Callable[[str], None]) -> None:
        self.last_words = last_words
        self._number: int | None = None
        self._scope: anyio.CancelScope | None = None
        self._obey: Callable[[int], None] = self._stop

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within, signals come here. One that came too late to stop the run goes to who had them before."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._come, number)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)
        if self._number is not None:
            signal.raise_signal(self._number)

    @contextmanager
    def stoppable(self, when: str) -> Iterator[None]:
        """Within, a signal cancels; then ``StoppedError`` is raised, which says ``when`` that was."""
        with anyio.CancelScope() as self._scope:
            if self._number is not None:
                self._scope.cancel()
            yield
        self._scope = None
        if self._number is not None:
            raise _stopped(self._number, when)

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
        if self._number is not None:
            self.last_words(str(_stopped(number, "at once")))
            os._exit(SIGNALLED + number)
        self._number = number
        if self._scope is not None:
            self._scope.cancel()


def _stopped(number: int, when: str = "") -> StoppedError:
    words = f"told to stop {when}".rstrip()
    return StoppedError(
        f"{signal.Signals(number).name}: {words}; the same command goes on", SIGNALLED + number
    )


class Stopper:
    """Drains a run when it is told to, and remembers why."""

    def __init__(self, run: Run, reporter: Reporter, *, grace: float) -> None:
        self._run = run
        self._reporter = reporter
        self._grace = grace
        self._told = anyio.Event()
        self.signal: int | None = None
        self.out_of_time = False

    def on_signal(self, number: int) -> None:
        """SIGINT or SIGTERM drains; a second one stops now."""
        if self.signal is not None:
            self._run.cancel()
            return
        self.signal = number
        self._reporter.notice(
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
        self._reporter.notice(f"the time limit of {seconds:g} s is reached: sending nothing more")
        self._run.drain()
        await self._cancel_after(self._grace)

    async def _cancel_after(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._run.cancel()
