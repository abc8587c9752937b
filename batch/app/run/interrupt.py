"""Signals outside of runs: they end the command. Imports nothing heavy, so that this holds from the start."""

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
    """A ``KeyboardInterrupt``, so that no handler of exceptions and no event loop keeps it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()


def heard_signals() -> tuple[signal.Signals, ...]:
    """The signals that stop a command; SIGHUP is one unless it is ignored, as under ``nohup``."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or signal.getsignal(hang_up) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, hang_up)


@contextmanager
def ended_by_signals() -> Iterator[Watchdog]:
    """Within, a signal raises ``StoppedError``; for the main thread of a process of our own.

    The second one ends the process, whatever it computes.
    """

    def end(number: int, _: object) -> NoReturn:
        raise _Interrupt(number)

    before = {number: signal.signal(number, end) for number in heard_signals()}
    try:
        with Watchdog() as watchdog:
            yield watchdog
    except _Interrupt as interrupt:
        raise stopped(interrupt.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped(number: int, when: str = "") -> StoppedError:
    """The error of a command that was told to stop."""
    words = f"told to stop {when}".rstrip()
    return StoppedError(
        f"{signal.Signals(number).name}: {words}; the same command goes on", SIGNALLED + number
    )
