"""Passes events to observers. An observer cannot end a run: its first exception becomes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import one_line
from batch.events import Level, Notice, ObserverFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batch.events import Event
    from batch.protocols import Observer


class Observers:
    """Several observers, called in order with each event. Cancellation and interrupts propagate.

    ``ignores`` of an observer, if it has that, are the types of events with which it is not called.
    """

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = tuple(observers)
        self._by_type: dict[type[Event], tuple[Callable[[Event], None], ...]] = {}
        self._has_failed = False

    def emit(self, event: Event) -> None:
        """Call every observer with the event. Raises nothing."""
        kind = type(event)
        if kind not in self._by_type:
            self._by_type[kind] = tuple(_observing(kind, self._observers))
        for observe in self._by_type[kind]:
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


def _observing(kind: type[Event], observers: Iterable[Observer]) -> Iterator[Callable[[Event], None]]:
    """Yield the method of each observer that is called with events of this type."""
    for observer in observers:
        if kind not in getattr(observer, "ignores", ()):
            yield observer.observe
