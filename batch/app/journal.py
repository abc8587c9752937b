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

from batch import __version__
from batch.errors import one_line
from batch.guarded import Guard, GuardedReporter
from batch.policy.exits import SIGNALLED
from batch.results.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from batch.app.options import RunReporter
    from batch.jobfile.job import JobFile
    from batch.records import Failure, Request, Result, Summary

PERIOD = 60.0
"""Seconds between two lines of counts."""

MOST = 20
"""Lines of one kind in such a period; those beyond are only counted."""

LONGEST_TRACE = 200
"""Lines of a traceback."""


class Log(Protocol):
    """Where events go; ``results.events.EventLog`` is one."""

    def write(self, event: str, text: str) -> None:
        """Write down one event of a kind. Never raises."""
        ...

    def close(self) -> None:
        """No more events will come."""
        ...


class Journal:
    """A ``RunReporter`` that writes events down and passes everything on.

    Failures are told one by one up to a bound, successes only as counts. ``clock`` gives seconds on a steady
    clock. ``path`` is where the log is. An exception that the reporter raises is logged and ends nothing.
    """

    def __init__(
        self,
        reporter: RunReporter,
        log: Log,
        *,
        clock: Callable[[], float] = time.monotonic,
        path: Path | None = None,
    ) -> None:
        guard = Guard(self._report_failed)
        self._reporter = _Guarded(reporter, guard)
        self._log = log
        self._path = path
        self._clock = clock
        self._counted_at = clock()
        self._succeeded = 0
        self._troubles: Counter[str] = Counter()
        self._has_ended = False
        self.sending = self._reporter.sending  # nothing to write
        self.fetching = self._reporter.fetching
        self.found = self._reporter.found
        self.watch = self._reporter.watch

    @classmethod
    def of(cls, job: JobFile, reporter: RunReporter) -> Journal:
        """The journal of a run that has just opened its output."""
        log = EventLog(job.output, wall=partial(datetime.now, UTC), on_trouble=reporter.notice)
        log.write("open", f"promptjobs {__version__}, process {os.getpid()}: {job.path}")
        return cls(reporter, log, path=log.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run is over; an error is one that ended it from outside, or let nothing be sent."""
        if error is not None and not self._has_ended:
            self._log.write("end", f"{type(error).__name__}: {error}")
        self._log.close()

    def start(self, total: int, already: int, *, is_whole: bool = True) -> None:
        """The job has ``total`` requests; ``already`` of them need nothing more.

        Unless that ``is_whole``: then these are those that have been read by now.
        """
        counted = f"{total} requests, {already} of them need nothing more"
        self._log.write(
            "start", counted if is_whole else "requests are counted as they are read: see the end"
        )
        self._reporter.start(total, already)

    def finished(self, result: Result) -> None:
        """A result is durable."""
        if result.error is None:
            self._succeeded += 1
        else:
            error = result.error
            again = "; the next run asks again" if error.retryable else ""
            self._trouble("failed", error.code, f"{result.id}: {error.code}: {error.message}{again}")
        self._reporter.finished(result)

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """An attempt failed."""
        if retry_in is not None:
            again = f"again in {retry_in:.1f} s"
            self._trouble("retry", failure.code, f"{request.id}: {failure.code}: {failure.message}; {again}")
        self._reporter.failed_attempt(request, failure, retry_in)

    def notice(self, message: str) -> None:
        """Something that a person would want to know."""
        self._log.write("notice", message)
        self._reporter.notice(message)

    def remark(self, message: str) -> None:
        """The same of what is no trouble yet."""
        self._log.write("notice", message)
        self._reporter.remark(message)

    def tick(self) -> None:
        """About a second has passed."""
        if self._clock() - self._counted_at >= PERIOD:
            self._count()
        self._reporter.tick()

    def ended(self, summary: Summary) -> None:
        """The run is over."""
        self._has_ended = True
        self._count()
        for reason in summary.reasons:
            self._log.write("reason", reason)
        code = f"{summary.exit_code}{_signal(summary.exit_code)}"
        self._log.write(
            "end",
            f"exit code {code} after {summary.seconds:.1f} s: {summary.succeeded} succeeded, "
            f"{summary.failed} failed, {summary.pending} pending of {summary.total}",
        )

    def broken_off(self, why: str) -> None:
        """The process ends now, whatever it was doing."""
        self._has_ended = True
        self._log.write("end", why)
        self._reporter.notice(why)

    def trace(self, error: BaseException) -> str:
        """Write down the traceback of an error, as far as its last lines; return where that is."""
        lines = "".join(traceback.format_exception(error)).splitlines()
        for line in lines[-LONGEST_TRACE:]:
            self._log.write("trace", line)
        return str(self._path or "the log")

    def _report_failed(self, error: Exception) -> None:
        self.trace(error)
        self.notice(f"the progress report failed, and the run goes on: {one_line(error)}")

    def _trouble(self, event: str, code: str, text: str) -> None:
        kind = f"{event} {code}"
        self._troubles[kind] += 1
        if self._troubles[kind] <= MOST:
            self._log.write(event, text)

    def _count(self) -> None:
        """Say what has come since the last time, if anything has."""
        self._counted_at = self._clock()
        if self._succeeded or self._troubles:
            troubles = [f", {kind} {number}" for kind, number in self._troubles.most_common()]
            self._log.write("counts", f"since the last: succeeded {self._succeeded}{''.join(troubles)}")
        self._succeeded = 0
        self._troubles.clear()


class _Guarded(GuardedReporter):
    """A ``RunReporter`` that raises nothing."""

    def __init__(self, reporter: RunReporter, guard: Guard) -> None:
        super().__init__(reporter, guard)
        self.start = guard.around(reporter.start)
        self.found = guard.around(reporter.found)
        self.fetching = guard.around(reporter.fetching)
        self.remark = guard.around(reporter.remark)
        self.watch = guard.around(reporter.watch)


def _signal(exit_code: int) -> str:
    return f" ({signal.Signals(exit_code - SIGNALLED).name})" if exit_code > SIGNALLED else ""
