"""The log of a run: the reasons of failures and retries; successes are only counted."""

from __future__ import annotations

import os
import signal
import time
import traceback
from asyncio import CancelledError
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

MAX_LINES_OF_A_KIND = 20
"""Lines of one kind in a period; further ones are only counted."""

MAX_TRACE = 200
"""Lines of a traceback."""


class Log(Protocol):
    """A destination of log events, such as ``results.event_log.EventLog``."""

    def write(self, event: str, text: str) -> None:
        """Write one event of a kind. Never raises."""
        ...

    def close(self) -> None:
        """Close the log."""
        ...


class RunLog:
    """An observer that writes events into a run's log.

    Failures are written one by one up to a limit, successes only as counts. ``clock`` returns seconds of a
    monotonic clock. ``path`` is the path of the log.
    """

    ignores = frozenset({AttemptStarted})

    def __init__(
        self, log: Log, *, clock: Callable[[], float] = time.monotonic, path: Path | None = None
    ) -> None:
        self._log = log
        self._path = path
        self._clock = clock
        self._counted_at = clock()
        self._succeeded = 0
        self._failures: Counter[str] = Counter()
        self._has_ended = False

    @classmethod
    def of(cls, job: JobFile, on_trouble: Callable[[str], None]) -> RunLog:
        """Open the log of a run that holds its output. ``on_trouble`` receives errors of writing it."""
        log = EventLog(job.output, wall=partial(datetime.now, UTC), on_trouble=on_trouble)
        log.write("open", f"promptjobs {__version__}, process {os.getpid()}: {job.path}")
        return cls(log, path=log.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log the end of the run; ``error`` ended it from outside, or prevented sending."""
        if isinstance(error, CancelledError) and not self._has_ended:
            self._write_counts()
            self._log.write("end", "cancelled by the caller; the requests without a result are pending")
        elif error is not None and not self._has_ended:
            self._log.write("end", f"{type(error).__name__}: {error}")
        self._log.close()

    def observe(self, event: Event) -> None:
        """Write what matters of the event."""
        match event:
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
                self._log_start(event)
            case ObserverFailed(error=error):
                self.trace(error)
            case RunEnded(summary=summary):
                self._log_end(summary)
            case ProcessEnding(why=why):
                self._has_ended = True
                self._log.write("end", why)
            case _:
                pass

    def _log_start(self, event: RunStarted) -> None:
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
                self._log_failure("failed", error.code, f"{result.id}: {error.code}: {error.message}{again}")

    def _attempt_failed(self, event: AttemptFailed) -> None:
        failure = event.failure
        if event.retry_in is not None:
            again = f"retry in {event.retry_in:.1f} s"
            self._log_failure(
                "retry", failure.code, f"{event.request.id}: {failure.code}: {failure.message}; {again}"
            )

    def _log_end(self, summary: Summary) -> None:
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
        """Write the last lines of an error's traceback; return the path of the log."""
        lines = "".join(traceback.format_exception(error)).splitlines()
        for line in lines[-MAX_TRACE:]:
            self._log.write("trace", line)
        return str(self._path or "the log")

    def _log_failure(self, event: str, code: str, text: str) -> None:
        kind = f"{event} {code}"
        self._failures[kind] += 1
        if self._failures[kind] <= MAX_LINES_OF_A_KIND:
            self._log.write(event, text)

    def _write_counts(self) -> None:
        """Write the counts since the last time, if there are any."""
        self._counted_at = self._clock()
        if self._succeeded or self._failures:
            failures = [f", {kind} {number}" for kind, number in self._failures.most_common()]
            self._log.write("counts", f"since the last line: succeeded {self._succeeded}{''.join(failures)}")
        self._succeeded = 0
        self._failures.clear()


def _signal(exit_code: int) -> str:
    return f" ({signal.Signals(exit_code - SIGNALLED).name})" if exit_code > SIGNALLED else ""
