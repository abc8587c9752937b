"""The docks of the house: what a part must offer to be plugged in, as Protocols.

``app`` chooses who docks where; the runner knows these Protocols and nothing behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch.events import Event
    from batch.records import Known, Outcome, Request, Result


class Provider(Protocol):
    """Sends one request, once. Retrying is the engine's business."""

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt and return its outcome. Raises nothing but cancellation."""
        ...


class Source(Protocol):
    """The requests of a job: lazy, and readable as often as needed."""

    def requests(self, target: str | None = None) -> Iterator[Request]:
        """All requests in the job's order, or only those of one target."""
        ...


class Sink(Protocol):
    """Where results go. A result counts only once ``write`` has returned."""

    def known(self, request_id: str) -> Known | None:
        """What the output already holds for this id."""
        ...

    async def write(self, results: Sequence[Result]) -> None:
        """Make all of them durable, or raise ``OutputWriteError``."""
        ...


class Observer(Protocol):
    """Is called with each event of a run, in order and on the run's thread (downloads: a worker thread)."""

    def observe(self, event: Event) -> None:
        """Take in one event. Must return at once; an exception is logged and ends nothing."""
        ...
