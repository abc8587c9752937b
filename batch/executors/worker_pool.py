"""The workers that take attempts now, and the attempts that wait for their outcomes.

A request is in a worker only while it is in flight, so that scheduling, limits, budgets and circuit breakers
see no difference. An attempt goes to the worker that has the fewest.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Protocol

from batch.executors.payloads import decode_outcome, encode_call
from batch.executors.protocol import ABANDONED
from batch.failure_codes import WORKER_LOST
from batch.records import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batch.errors import PromptJobsError
    from batch.records import Outcome, Request


class Link(Protocol):
    """The connection to one worker."""

    @property
    def in_flight(self) -> int:
        """Number of attempts in flight."""
        ...

    def issue(self, attempt: int, payload: bytes) -> None:
        """Send an attempt to the worker."""
        ...

    def cancel(self, attempt: int) -> None:
        """Abandon an attempt."""
        ...


class WorkerPool:
    """The links of a run. An error ends the run; ``until`` raises it before there are attempts."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._attempts = itertools.count(1)
        self._outcomes: dict[int, asyncio.Future[bytes | Failure]] = {}
        self._changed = asyncio.Event()
        self._error: PromptJobsError | None = None
        self._on_error: Callable[[PromptJobsError], None] | None = None

    def endpoints(self, count: int) -> list[WorkerEndpoint]:
        """Return the providers of the first so many endpoints of the workers."""
        return [WorkerEndpoint(self, number) for number in range(count)]

    async def until(self, count: int) -> None:
        """Wait until so many workers take attempts. Raises the error that ends the run."""
        while len(self.links) < count:
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    def add(self, link: Link) -> None:
        """Give attempts to this worker."""
        self.links.append(link)
        self._change()

    def remove(self, link: Link) -> None:
        """Give no more attempts to this worker, if it took any."""
        if link in self.links:
            self.links.remove(link)
            self._change()

    async def changed(self) -> None:
        """Wait until a worker has been added or removed, or an error has happened."""
        await self._changed.wait()

    def fail(self, error: PromptJobsError) -> None:
        """End the run because of an error."""
        self._error = error
        self._change()
        if self._on_error is not None:
            self._on_error(error)

    def on_error(self, stop: Callable[[PromptJobsError], None]) -> None:
        """Call ``stop`` with the error that ends the run, also if it has happened already."""
        self._on_error = stop
        if self._error is not None:
            stop(self._error)

    async def execute(self, endpoint: int, request: Request) -> Outcome:
        """Execute one attempt in a worker and return its outcome."""
        payload = encode_call(endpoint, request)
        while not self.links:
            await self._changed.wait()
        link = min(self.links, key=_in_flight)
        attempt = next(self._attempts)
        outcome = self._outcomes[attempt] = asyncio.get_running_loop().create_future()
        link.issue(attempt, payload)
        try:
            found = await outcome
        except asyncio.CancelledError:
            link.cancel(attempt)
            raise
        finally:
            del self._outcomes[attempt]
        return found if isinstance(found, Failure) else decode_outcome(found)

    def settle(self, attempt: int, payload: bytes) -> None:
        """End an attempt with the outcome that its worker reports."""
        self._settle(attempt, _ABANDONED if payload == ABANDONED else payload)

    def lose(self, attempts: Iterable[int], message: str) -> None:
        """Fail what was in flight in a worker that can send nothing more."""
        failure = Failure(WORKER_LOST, message, about_request=True)
        for attempt in attempts:
            self._settle(attempt, failure)

    def _settle(self, attempt: int, found: bytes | Failure) -> None:
        outcome = self._outcomes.get(attempt)
        if outcome is not None and not outcome.done():
            outcome.set_result(found)

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class WorkerEndpoint:
    """An endpoint whose attempts are executed in workers, as a ``protocols.Provider``."""

    def __init__(self, pool: WorkerPool, number: int) -> None:
        self._pool = pool
        self._number = number

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt."""
        return await self._pool.execute(self._number, request)


_ABANDONED = Failure(
    WORKER_LOST, "the worker abandoned the attempt, because it did not reach the driver", about_request=True
)


def _in_flight(link: Link) -> int:
    return link.in_flight
