"""Passes events to observers. An observer cannot end a run: its first exception becomes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import one_line
from batch.events import Level, Notice, ObserverFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batch.events import Event
    from batch.protocols import Observer


class Observers:
    """Several observers, called in order with each event. Cancellation and interrupts propagate."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observe: tuple[Callable[[Event], None], ...] = tuple(each.observe for each in observers)
        self._has_failed = False

    def emit(self, event: Event) -> None:
        """Call every observer with the event. Raises nothing."""
        for observe in self._observe:
            try:
                observe(event)
            except Exception as error:  # noqa: BLE001 - a failing progress bar must not end a run
                self._report(error)

    def warn(self, message: str) -> None:
        """Emit a notice that a quiet run shows, too."""
        self.emit(Notice(message))

    def inform(self, message: str) -> None:
        """Emit a notice that a quiet run only logs."""
        self.emit(Notice(message, Level.INFO))

    def _report(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.emit(ObserverFailed(error))
            self.warn(f"the progress report failed; the run continues: {one_line(error)}")
