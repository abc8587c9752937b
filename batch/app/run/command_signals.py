"""Signals outside of runs: they end the command. Imports only fast modules."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from batch.app.run.watchdog import Watchdog
from batch.errors import StoppedError
from batch.exit_codes import SIGNALLED

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Interrupt(KeyboardInterrupt):
    """A ``KeyboardInterrupt``, so that no exception handler and no event loop catches it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()


def handled_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that stop a command; SIGHUP is one unless it is ignored, as under ``nohup``."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, hang_up)


@contextmanager
def ended_by_signals() -> Iterator[Watchdog]:
    """Raise ``StoppedError`` within this context when a signal arrives.

    Only for the main thread of our own process. A second signal ends the process immediately.
    """

    watchdog = Watchdog()

    def end(number: int, _: object) -> NoReturn:
        watchdog.take()
        raise _Interrupt(number)

    before = {number: signal.signal(number, end) for number in handled_signals()}
    try:
        with watchdog:
            yield watchdog
    except _Interrupt as interrupt:
        raise stopped(interrupt.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def cancelled() -> StoppedError:
    """Return the error of a run that its caller cancelled, as an interrupted cell of a notebook does."""
    what = "cancelled by the caller; run the job again to resume"
    return StoppedError(what, SIGNALLED + signal.SIGINT)


def stopped(number: int, when: str = "") -> StoppedError:
    """Return the error of a command that a signal stopped."""
    words = f"stopped {when}".rstrip()
    return StoppedError(
        f"{signal.Signals(number).name}: {words}; run the same command to resume", SIGNALLED + number
    )
