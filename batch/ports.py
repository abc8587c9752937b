"""The docks of the house: what a part must offer to be plugged in, as Protocols.

``app`` chooses who docks where; the runner knows these Protocols and nothing behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch.records import Failure, Known, Outcome, Request, Result


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


class Reporter(Protocol):
    """Is told what happens. Must return at once and never raise."""

    def sending(self, request: Request) -> None:
        """An attempt begins."""
        ...

    def finished(self, result: Result) -> None:
        """A result is durable."""
        ...

    def failed_attempt(self, request: Request, failure: Failure, retry_in: float | None) -> None:
        """An attempt failed; it is repeated in ``retry_in`` seconds, or not at all."""
        ...

    def notice(self, message: str) -> None:
        """Something that a person would want to know, such as an endpoint that is parked."""
        ...

    def tick(self) -> None:
        """About a second has passed."""
        ...
