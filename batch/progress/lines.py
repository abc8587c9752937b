"""Dated lines for logs and cron mails; in quiet mode, only warnings."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batch.events import Level
from batch.progress import formatting
from batch.progress.base import ProgressObserver, megabytes
from batch.progress.counters import Speed
from batch.progress.safe_stream import SafeStream
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from batch.records import Result


def utc_now() -> datetime:
    """The clock for the dates of lines."""
    return datetime.now(UTC)


class LineReporter(ProgressObserver):
    """Writes one line every ``stats`` seconds, and failures at once.

    ``quiet`` prints only warnings: at its end, a quiet run names the failures that are new. ``clock`` returns
    seconds of a monotonic clock, ``wall`` the time of day in UTC.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        stats: float = 60.0,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self._stream = SafeStream(stream)
        self._stats = stats
        self._quiet = quiet
        self._clock = clock
        self._wall = wall
        self._shown_at = clock()
        self._fetching_shown_at = float("-inf")
        self._fetched = False
        self._speed = Speed(self._shown_at, self.counters)
        self._closed = False

    def _start(self, total: int, settled: int, *, is_whole: bool) -> None:
        super()._start(total, settled, is_whole=is_whole)
        self._shown_at = self._clock()
        self._speed = Speed(self._shown_at, self.counters)

    def _finished(self, results: Sequence[Result]) -> None:
        if self._quiet:
            self.counters.finished(results)
        else:
            super()._finished(results)

    def _show_notice(self, text: str, level: Level) -> None:
        if not (self._quiet and level is Level.INFO):
            self._show_failures(text)

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._shown_at >= self._stats:
            self._shown_at = now
            self._show_progress(self._numbers(now))
        else:
            self._speed.sample(now, self.counters)

    def _show_download(self, done: int, total: int) -> None:
        now = self._clock()
        is_over = done == total and not self._fetched
        if is_over or (done < total and now - self._fetching_shown_at >= self._stats):
            self._fetching_shown_at, self._fetched = now, done == total
            self._show_progress(megabytes(done, total))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self.counters.sent:
            self._show_progress(self._numbers(self._clock()))
        if self.counters.failed and not self._quiet:
            kinds = ", ".join(
                f"{escape(code)} {number}" for code, number in self.counters.failed.most_common()
            )
            self._write(f"{self.counters.failed.total()} failed: {kinds}")

    def _numbers(self, now: float) -> str:
        rates = self._speed.sample(now, self.counters)
        return formatting.line(self.counters, self._snapshot, rates)

    def _show_progress(self, text: str) -> None:
        if not self._quiet:
            self._write(text)

    def _show_retry(self, text: str) -> None:
        self._show_progress(text)

    def _show_failures(self, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        self._stream.write(f"{self._wall():%Y-%m-%dT%H:%M:%SZ} {text}\n")
        self._stream.flush()
