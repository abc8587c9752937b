"""``promptjobs status --watch``: the progress of an active run, until it ends."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from batch.app.inspect.active_run import ActiveRun, active_run
from batch.cli.console import is_fancy, print_line
from batch.cli.screen import Screen
from batch.cli.watch_frame import frame, log_line
from batch.results.summary_file import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PERIOD = 1.0
"""Seconds between two looks."""

SILENT = 5.0
"""Seconds without a report after which the display says so."""


class Display(Protocol):
    """Shows a run, and a ``note`` about it, which may be empty, until it is closed."""

    def show(self, active: ActiveRun, note: str) -> None: ...

    def close(self) -> None: ...


class Redrawn:
    """Redraws the same lines of a terminal."""

    def __init__(self) -> None:
        self._screen = Screen(sys.stdout)

    def show(self, active: ActiveRun, note: str) -> None:
        """Draw the frame that fits now."""
        columns, rows = self._screen.size
        self._screen.draw(frame(active, note, columns, rows, plain=self._screen.is_plain))

    def close(self) -> None:
        """Remove the frame."""
        self._screen.clear()

    def forget(self) -> None:
        """Draw below the previous lines: other programs have written there."""
        self._screen.forget()


class Printed:
    """Prints a line for each change, for files and pipes."""

    def __init__(self) -> None:
        self._last: object = None

    def show(self, active: ActiveRun, note: str) -> None:  # noqa: ARG002 - a silent run changes nothing
        """Print a line if something has ended or begun."""
        progress = active.progress
        state = None if progress is None else (progress.done, progress.failed, progress.attempts)
        if progress is not None and state != self._last:
            self._last = state
            print_line(log_line(progress))

    def close(self) -> None:
        """Do nothing."""


def watch(output: Path) -> int:
    """Show the run that is active on an output until it ends, and how it ended. Return the exit code."""
    active = active_run(output)
    if active is None:
        print_line(f"no run is active on {output}")
        return 0
    display = Redrawn() if is_fancy(sys.stdout) else Printed()
    with _continued(display):
        started_at = _follow(output, active, display)
        display.close()
    _print_end(output, started_at)
    return 0


def _follow(output: Path, active: ActiveRun, display: Display) -> str | None:
    """Show a run until it ends; return when it started, ``None`` if it has never reported."""
    changed, shown = time.monotonic(), active
    found: ActiveRun | None = active
    while found is not None and _is_same(found, shown):
        if found.progress not in (None, shown.progress):
            changed = time.monotonic()
        if found.progress is not None or shown.progress is None:
            shown = found
        display.show(shown, _note(found, shown, time.monotonic() - changed))
        time.sleep(PERIOD)
        found = active_run(output)
    return None if shown.progress is None else shown.progress.started_at


def _is_same(found: ActiveRun, shown: ActiveRun) -> bool:
    """Whether both are the same run; a process that has just begun has not signed its lock yet."""
    pids = (found.holder.pid, shown.holder.pid)
    return found.holder == shown.holder or 0 in pids


def _note(found: ActiveRun, shown: ActiveRun, silent: float) -> str:
    """Say why the numbers do not change; ``silent`` are the seconds for which they have not."""
    if shown.progress is None:
        return "nothing is sent yet: the job and its output are read"
    if found.progress is None:
        return "everything is sent; the output is being finished"
    if silent >= SILENT:
        return f"no report for {silent:.0f} s: the process is stopped, or its disk is slow"
    return ""


@contextmanager
def _continued(display: Display) -> Iterator[None]:
    """Within this context, a continued process draws below what other programs have written meanwhile."""
    if not isinstance(display, Redrawn):
        yield
        return
    before = signal.signal(signal.SIGCONT, lambda *_: display.forget())
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)


def _print_end(output: Path, started_at: str | None) -> None:
    """Print how the run that started then has ended."""
    summary = read_summary(output)
    if summary is None or summary.started_at != started_at:
        print_line("the run has ended without a summary; `promptjobs status` counts its results")
        return
    counts = f"{summary.succeeded} succeeded, {summary.failed} failed, {summary.pending} pending"
    print_line(f"{summary.name}: {counts} of {summary.total}")
    print_line(f"the run has ended after {summary.seconds:.1f} s with exit code {summary.exit_code}")
