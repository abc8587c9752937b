"""What a run writes into its log: why each thing happened, and not that all went well."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

from batch._version import __version__
from batch.events import (
    AttemptFailed,
    AttemptStarted,
    Notice,
    ObserverFailed,
    ProcessEnding,
    ResultsDurable,
    RunEnded,
    RunStarted,
    Tick,
)
from batch.exit_codes import SIGNALLED
from batch.results.event_log import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from batch.events import Event
    from batch.jobfile.job import JobFile
    from batch.records import Result, Summary

PERIOD = 60.0
"""Seconds between two lines of counts."""

MOST = 20
"""Lines of one kind in such a period; those beyond are only counted."""

LONGEST_TRACE = 200
"""Lines of a traceback."""


class Log(Protocol):
    """Where events go; ``results.event_log.EventLog`` is one."""

    def write(self, event: str, text: str) -> None:
        """Write down one event of a kind. Never raises."""
        ...

    def close(self) -> None:
        """No more events will come."""
        ...


class RunLog:
    """An observer that writes events into a run's log.

    Failures are written one by one up to a bound, successes only as counts. ``clock`` gives seconds on a
    steady clock. ``path`` is where the log is.
    """

    def __init__(
        self, log: Log, *, clock: Callable[[], float] = time.monotonic, path: Path | None = None
    ) -> None:
        self._log = log
        self._path = path
        self._clock = clock
        self._counted_at = clock()
        self._succeeded = 0
        self._troubles: Counter[str] = Counter()
        self._has_ended = False

    @classmethod
    def of(cls, job: JobFile, on_trouble: Callable[[str], None]) -> RunLog:
        """Open the log of a run that holds its output. ``on_trouble`` gets what keeps it from writing."""
        log = EventLog(job.output, wall=partial(datetime.now, UTC), on_trouble=on_trouble)
        log.write("open", f"promptjobs {__version__}, process {os.getpid()}: {job.path}")
        return cls(log, path=log.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over; an error is one that ended it from outside, or let nothing be sent."""
        if error is not None and not self._has_ended:
            self._log.write("end", f"{type(error).__name__}: {error}")
        self._log.close()

    def observe(self, event: Event) -> None:  # noqa: C901 - a table of kinds
        """Write down what matters of the event."""
        match event:
            case AttemptStarted():
                pass
            case ResultsDurable(results=results):
                self._count_results(results)
            case AttemptFailed():
                self._attempt_failed(event)
            case Tick():
                if self._clock() - self._counted_at >= PERIOD:
                    self._write_counts()
            case Notice(message=message):
                self._log.write("notice", message)
            case RunStarted():
                self._started(event)
            case ObserverFailed(error=error):
                self.trace(error)
            case RunEnded(summary=summary):
                self._ended(summary)
            case ProcessEnding(why=why):
                self._has_ended = True
                self._log.write("end", why)
            case _:
                pass

    def _started(self, event: RunStarted) -> None:
        counted = f"{event.total} requests, {event.settled} of them need nothing more"
        self._log.write(
            "start", counted if event.is_whole else "requests are counted as they are read: see the end"
        )

    def _count_results(self, results: Sequence[Result]) -> None:
        for result in results:
            error = result.error
            if error is None:
                self._succeeded += 1
            else:
                again = "; the next run sends it again" if error.retryable else ""
                self._trouble("failed", error.code, f"{result.id}: {error.code}: {error.message}{again}")

    def _attempt_failed(self, event: AttemptFailed) -> None:
        failure = event.failure
        if event.retry_in is not None:
            again = f"again in {event.retry_in:.1f} s"
            self._trouble(
                "retry", failure.code, f"{event.request.id}: {failure.code}: {failure.message}; {again}"
            )

    def _ended(self, summary: Summary) -> None:
        self._has_ended = True
        self._write_counts()
        for reason in summary.reasons:
            self._log.write("reason", reason)
        code = f"{summary.exit_code}{_signal(summary.exit_code)}"
        self._log.write(
            "end",
            f"exit code {code} after {summary.seconds:.1f} s: {summary.succeeded} succeeded, "
            f"{summary.failed} failed, {summary.pending} pending of {summary.total}",
        )

    def trace(self, error: BaseException) -> str:
        """Write down the traceback of an error, as far as its last lines; return where that is."""
        lines = "".join(traceback.format_exception(error)).splitlines()
        for line in lines[-LONGEST_TRACE:]:
            self._log.write("trace", line)
        return str(self._path or "the log")

    def _trouble(self, event: str, code: str, text: str) -> None:
        kind = f"{event} {code}"
        self._troubles[kind] += 1
        if self._troubles[kind] <= MOST:
            self._log.write(event, text)

    def _write_counts(self) -> None:
        """Say what has come since the last time, if anything has."""
        self._counted_at = self._clock()
        if self._succeeded or self._troubles:
            troubles = [f", {kind} {number}" for kind, number in self._troubles.most_common()]
            self._log.write("counts", f"since the last: succeeded {self._succeeded}{''.join(troubles)}")
        self._succeeded = 0
        self._troubles.clear()


def _signal(exit_code: int) -> str:
    return f" ({signal.Signals(exit_code - SIGNALLED).name})" if exit_code > SIGNALLED else ""
