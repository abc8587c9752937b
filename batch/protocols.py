"""The interfaces of the parts of the engine, as Protocols.

``app`` chooses the implementations; the runner depends only on these Protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch.events import Event
    from batch.records import Known, Outcome, Request, Result


class Provider(Protocol):
    """Sends one request once. Retries are the scheduler's task."""

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt and return its outcome. Raises nothing but cancellation."""
        ...


class Source(Protocol):
    """The requests of a job: lazy, and readable repeatedly."""

    def requests(self, target: str | None = None) -> Iterator[Request]:
        """Yield all requests in the job's order, or only those of one target."""
        ...


class Sink(Protocol):
    """The destination of results. A result counts only once ``write`` has returned."""

    def known(self, request_id: str) -> Known | None:
        """Return what the output already has for this id; ``None`` if it has nothing."""
        ...

    async def write(self, results: Sequence[Result]) -> None:
        """Make all results durable, or raise ``OutputWriteError``."""
        ...


class Observer(Protocol):
    """Receives each event of a run, in order and on the run's thread (downloads: a worker thread).

    With an attribute ``ignores``, it does not receive events of these types.
    """

    def observe(self, event: Event) -> None:
        """Handle one event. Must return immediately; an exception is logged and ends nothing."""
        ...
