"""A tqdm bar on a terminal; failures are printed above it as they happen."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from batch.progress import formatting, meter
from batch.progress.base import ProgressObserver, megabytes
from batch.progress.counters import Speed
from batch.progress.safe_stream import SafeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Never, TextIO

    from batch.records import Result

    _Tqdm = tqdm[Never]
else:
    _Tqdm = tqdm

_USUAL = 80
"""Columns of a terminal that does not know its own size. tqdm would not draw on one without rows."""

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


class _Bar(_Tqdm):
    """tqdm without its monitor thread and its lock between processes: the runner ticks, in one process.

    ``drawn`` returns the line for so many columns, ``None`` where the stream is no terminal.
    """

    drawn: Callable[[int | None, bool], str] | None = None

    monitor_interval = 0
    _lock = threading.RLock()

    def __str__(self) -> str:
        if self.drawn is None:  # tqdm draws once while it is made
            return ""
        return self.drawn(_columns(self.fp), self.format_dict["ascii"])


def _columns(stream: Any) -> int | None:
    """Return the columns of a terminal but for the last, where lines may wrap; ``None`` for other streams."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or _USUAL) - 1
    except (AttributeError, OSError, ValueError):
        return None


class BarReporter(ProgressObserver):
    """Shows the progress of a run: requests done, failures, ETA, rates, in flight and retries.

    ``colour`` prints failures in red. ``clock`` returns seconds of a monotonic clock.
    """

    def __init__(self, stream: TextIO, *, colour: bool, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stream: Any = SafeStream(stream)
        self._colour = colour
        self._clock = clock
        self._bar: _Bar | None = None
        self._shown_at = clock()
        self._speed = Speed(self._shown_at, self.counters)
        self._rates = (0.0, 0.0)
        self._download = ""
        self._allowed: int | None = None

    def _start(self, total: int, settled: int, *, is_whole: bool) -> None:
        super()._start(total, settled, is_whole=is_whole)
        self._speed = Speed(self._clock(), self.counters)
        self._bar = _Bar(total=total, initial=settled, file=self._stream, leave=True)
        self._bar.drawn = self._drawn
        self._bar.refresh()

    def _finished(self, results: Sequence[Result]) -> None:
        super()._finished(results)
        if self._bar is not None:
            self._bar.update(len(results))

    def _refresh(self) -> None:
        """Update the numbers, at most once a second."""
        now = self._clock()
        if now - self._shown_at >= 1:
            self._shown_at = now
            self._show_numbers(now)

    def _show_download(self, done: int, total: int) -> None:
        self._download = megabytes(done, total)
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._show_numbers(self._clock())
            self._bar.close()
            self._bar = None

    def _show_numbers(self, now: float) -> None:
        self._rates = self._speed.sample(now, self.counters)
        if self._bar is not None:
            self._bar.refresh()

    def _drawn(self, columns: int | None, plain: bool) -> str:
        counters, snapshot = self.counters, self._snapshot
        requests, tokens = self._rates
        if self._download and not counters.sent:
            return meter.alone(self._download, columns)
        self._allowed = self._allowed if snapshot is None else snapshot.allowed
        numbers = meter.Numbers(
            done=counters.done,
            total=counters.total if counters.is_whole else None,
            failed=counters.failed.total(),
            seconds_left=counters.seconds_left(requests),
            requests=requests,
            in_flight=counters.in_flight if snapshot is None else snapshot.in_flight,
            allowed=self._allowed,
            retries=counters.retries,
            tokens=tokens,
            cost=counters.cost or None,
            notes=[*formatting.held_back(snapshot), *formatting.failure_counts(snapshot)],
        )
        return meter.line(numbers, columns, plain=plain)

    def _show_failures(self, text: str) -> None:
        _Bar.write(f"{_RED}{text}{_PLAIN}" if self._colour else text, file=self._stream)

    def _show_retry(self, text: str) -> None:
        _Bar.write(text, file=self._stream)
