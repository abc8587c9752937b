"""A tqdm bar on a terminal; failures are printed above it as they happen."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from batch.progress import formatting
from batch.progress.base import ProgressObserver, megabytes
from batch.progress.counters import Speed
from batch.progress.safe_stream import SafeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Never, TextIO

    from batch.progress.notebook_bar import NotebookBar
    from batch.records import Result

    _Tqdm = tqdm[Never]
else:
    _Tqdm = tqdm

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


class TextBar(_Tqdm):
    """tqdm without its monitor thread and its lock between processes: the runner ticks, in one process.

    ``speed`` is in requests per second; tqdm's own would cover only the last groups of results.
    """

    speed = 0.0

    monitor_interval = 0
    _lock = threading.RLock()

    @property
    def format_dict(self) -> Any:
        return {**super().format_dict, "rate": self.speed or None}

    def resize(self, total: int) -> None:
        """Change the total, in requests."""
        self.total = total


class BarReporter(ProgressObserver):
    """Shows the progress of a run: requests done, their rate, in flight, retries, failures, tokens/s and ETA.

    ``colour`` prints failures in red. ``clock`` returns seconds of a monotonic clock. ``bar`` is the kind of
    bar; a notebook has its own.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        colour: bool,
        clock: Callable[[], float] = time.monotonic,
        bar: type[TextBar | NotebookBar] = TextBar,
    ) -> None:
        super().__init__()
        self._kind = bar
        self._stream: Any = SafeStream(stream)
        self._colour = colour
        self._clock = clock
        self._bar: TextBar | NotebookBar | None = None
        self._shown_at = clock()
        self._speed = Speed(self._shown_at, self.counters)

    def _start(self, total: int, settled: int) -> None:
        super()._start(total, settled)
        self._speed = Speed(self._clock(), self.counters)
        self._bar = self._kind(
            total=total, initial=settled, file=self._stream, unit="req", dynamic_ncols=True, leave=True
        )

    def _grow(self, total: int, settled: int) -> None:
        super()._grow(total, settled)
        if self._bar is not None:
            self._bar.resize(total)
            self._bar.n = self.counters.done

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
        if self._bar is not None:
            self._bar.set_postfix_str(megabytes(done, total))

    def close(self) -> None:
        if self._bar is not None:
            self._show_numbers(self._clock())
            self._bar.close()
            self._bar = None

    def _show_numbers(self, now: float) -> None:
        counters, snapshot = self.counters, self._snapshot
        requests, tokens = self._speed.sample(now, counters)
        if self._bar is not None:
            self._bar.speed = requests
            parts = [
                *formatting.engine(snapshot, counters),
                f"failed {counters.failed.total()}",
                f"{tokens:.0f} tok/s",
                *formatting.cost(counters),
                *formatting.failure_counts(snapshot),
            ]
            self._bar.set_postfix_str(", ".join(parts))

    def _show_failures(self, text: str) -> None:
        self._kind.write(f"{_RED}{text}{_PLAIN}" if self._colour else text, file=self._stream)

    def _show_retry(self, text: str) -> None:
        self._kind.write(text, file=self._stream)
