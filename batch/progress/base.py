"""What both reporters do alike: count, and say the first of each kind of trouble at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from batch.progress.counters import Counters
from batch.terminal import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.policy.standing import Standing
    from batch.records import Failure, Request, Result


class BaseReporter(ABC):
    """A ``Reporter`` that leaves showing things to its subclass. Everything it shows has been escaped."""

    def __init__(self) -> None:
        self.counters = Counters()
        self._look: Callable[[], Standing] | None = None
        self._said: set[tuple[str, str]] = set()

    def start(self, total: int, already: int) -> None:
        """The job has ``total`` requests; ``already`` of them need nothing more."""
        self.counters.start(total, already)

    def watch(self, look: Callable[[], Standing] | None) -> None:
        """From now on ``look`` says how the engine stands; ``None``: nothing is under way any more."""
        self._look = look

    def found(self, total: int, already: int) -> None:
        """The same again, of a job that is read while it runs."""
        self.counters.found(total, already)

    def sending(self, request: Request) -> None:
        """An attempt begins."""
        self.counters.sending(request)

    def finished(self, result: Result) -> None:
        """A result is durable. The first failure of each code is shown."""
        self.counters.finished(result)
        error = result.error
        if error is not None and self._is_first("failed", error.code):
            self._show_trouble(f"{escape(result.id)} failed: {escape(error.code)}: {escape(error.message)}")

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """An attempt failed. The first of each code that is repeated is shown.

        One that is not repeated ends in a result or in a notice, and is shown there.
        """
        self.counters.failed_attempt(request, failure, retry_in)
        if retry_in is not None and self._is_first("retried", failure.code):
            self._show_retry(
                f"{escape(request.id)}: {escape(failure.code)}: {escape(failure.message)}; "
                f"trying again in {retry_in:.1f} s"
            )

    def notice(self, message: str) -> None:
        """Something that a person would want to know is shown at once."""
        self._show_trouble(escape(message))

    def remark(self, message: str) -> None:
        """The same of something that is no trouble yet, and may never be."""
        self.notice(message)

    @abstractmethod
    def tick(self) -> None:
        """About a second has passed."""

    @abstractmethod
    def fetching(self, done: int, total: int) -> None:
        """So many bytes of the embedded model's weights are here; may be called in another thread."""

    @abstractmethod
    def close(self) -> None:
        """The run is over; harmless the second time."""

    @abstractmethod
    def _show_trouble(self, text: str) -> None: ...

    @abstractmethod
    def _show_retry(self, text: str) -> None: ...

    def _standing(self) -> Standing | None:
        return None if self._look is None else self._look()

    def _is_first(self, event: str, code: str) -> bool:
        if (event, code) in self._said:
            return False
        self._said.add((event, code))
        return True


def megabytes(done: int, total: int) -> str:
    """How far a download has come."""
    return f"fetching the model's weights: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
