"""The common part of both reporters: count, and show the first failure of each kind at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from batch.events import (
    AttemptFailed,
    AttemptStarted,
    DownloadProgressed,
    Notice,
    PlanGrew,
    ProcessEnding,
    ResultsDurable,
    RunStarted,
    Tick,
)
from batch.progress.counters import Counters
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.events import Event, Level, Snapshot
    from batch.records import Result


class ProgressObserver(ABC):
    """An observer whose subclasses display things. Everything it shows has been escaped."""

    def __init__(self) -> None:
        self.counters = Counters()
        self._snapshot: Snapshot | None = None
        self._shown: set[tuple[str, str]] = set()

    def observe(self, event: Event) -> None:
        """Count the event, and show what the user should see of it."""
        match event:
            case AttemptStarted(request=request):
                self.counters.sending(request)
            case ResultsDurable(results=results):
                self._finished(results)
                self._refresh()
            case AttemptFailed():
                self._attempt_failed(event)
            case Tick(snapshot=snapshot):
                self._snapshot = snapshot
                self._refresh()
            case Notice(message=message, level=level):
                self._show_notice(escape(message), level)
            case ProcessEnding(why=why):
                self._show_failures(escape(why))
            case RunStarted(total=total, settled=settled, is_whole=is_whole):
                self._start(total, settled, is_whole=is_whole)
            case PlanGrew(total=total, settled=settled, is_whole=is_whole):
                self.counters.found(total, settled, is_whole=is_whole)
            case DownloadProgressed(done=done, total=total):
                self._show_download(done, total)
            case _:
                pass

    @abstractmethod
    def close(self) -> None:
        """Close the report; calling it twice is harmless."""

    def _start(self, total: int, settled: int, *, is_whole: bool) -> None:
        self.counters.start(total, settled, is_whole=is_whole)

    def _finished(self, results: Sequence[Result]) -> None:
        """Count results, and show the first failure of each code."""
        self.counters.finished(results)
        for result in results:
            error = result.error
            if error is not None and self._is_first("failed", error.code):
                self._show_failures(
                    f"{escape(result.id)} failed: {escape(error.code)}: {escape(error.message)}"
                )

    def _attempt_failed(self, event: AttemptFailed) -> None:
        """Show the first failure of each code that is retried.

        A failure that is not retried ends in a result or in a notice, and is shown there.
        """
        failure = event.failure
        self.counters.failed_attempt(event.request, failure, event.retry_in)
        if event.retry_in is not None and self._is_first("retried", failure.code):
            self._show_retry(
                f"{escape(event.request.id)}: {escape(failure.code)}: {escape(failure.message)}; "
                f"retrying in {event.retry_in:.1f} s"
            )

    def _show_notice(self, text: str, level: Level) -> None:  # noqa: ARG002 - for the quiet ones
        self._show_failures(text)

    @abstractmethod
    def _refresh(self) -> None:
        """Update the display, if it is due."""

    @abstractmethod
    def _show_download(self, done: int, total: int) -> None: ...

    @abstractmethod
    def _show_failures(self, text: str) -> None: ...

    @abstractmethod
    def _show_retry(self, text: str) -> None: ...

    def _is_first(self, event: str, code: str) -> bool:
        if (event, code) in self._shown:
            return False
        self._shown.add((event, code))
        return True


def megabytes(done: int, total: int) -> str:
    """Return the progress of a download."""
    return f"downloading the model's weights: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
