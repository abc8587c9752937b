"""A reporter that cannot end a run: what it raises is reported once, and the run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec

from batch.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.ports import Reporter

P = ParamSpec("P")


class Guard:
    """Makes calls that drop exceptions. ``report`` gets the first one. Cancellation and interrupts pass."""

    def __init__(self, report: Callable[[Exception], None]) -> None:
        self._report = report
        self._has_failed = False

    def around(self, call: Callable[P, None]) -> Callable[P, None]:
        """The same call, which raises no ``Exception``."""

        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - a progress bar is not worth a run
                self._fail(error)

        return guarded

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._report(error)


class GuardedReporter:
    """Passes everything on to a ``Reporter``, and drops the exceptions that this raises."""

    def __init__(self, reporter: Reporter, guard: Guard | None = None) -> None:
        guard = guard or Guard(self._report)
        self.sending = guard.around(reporter.sending)
        self.finished = guard.around(reporter.finished)
        self.failed_attempt = guard.around(reporter.failed_attempt)
        self.notice = guard.around(reporter.notice)
        self.tick = guard.around(reporter.tick)

    def _report(self, error: Exception) -> None:
        self.notice(f"the progress report failed, and the run goes on: {one_line(error)}")


def guarded(reporter: Reporter) -> Reporter:
    """The reporter, guarded unless it says by ``raises_nothing`` that it need not be."""
    return reporter if getattr(reporter, "raises_nothing", False) else GuardedReporter(reporter)
