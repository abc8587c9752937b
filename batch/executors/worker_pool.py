"""The workers that take attempts now, and the attempts that wait for their outcomes.

A request is in a worker only while it is in flight, so that scheduling, limits, budgets and circuit
breakers see no difference. An attempt goes to the worker that has the fewest. Where each worker has an
endpoint of its own, it goes to the worker in that place: the first one there, or its successor.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec.structs import replace

from batch.executors.payloads import decode_outcome, encode_call
from batch.executors.protocol import ABANDONED
from batch.failure_codes import CONNECT, WORKER_LOST
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


class Place(NamedTuple):
    """Where a worker is: its number among the workers, and the name of its machine."""

    number: int
    host: str


REPLACED = 15.0
"""Seconds to wait for a worker in a place if there are others; most are replaced within a few."""


def places(workers: int) -> range:
    """Return the numbers of the places of so many workers. A worker that is replaced keeps its number."""
    return range(1, workers + 1)


class WorkerPool:
    """The links of a run, with their places. An error ends the run; ``until`` raises it before attempts."""

    def __init__(self) -> None:
        self.links: dict[Link, Place | None] = {}
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

    def add(self, link: Link, place: Place | None = None) -> None:
        """Give attempts to this worker, in its place."""
        self.links[link] = place
        self._change()

    def remove(self, link: Link) -> None:
        """Give no more attempts to this worker, if it took any."""
        if link in self.links:
            del self.links[link]
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

    async def execute(self, endpoint: int, request: Request, place: int | None = None) -> Outcome:
        """Execute one attempt in a worker, or in the one at ``place``, and return its outcome."""
        payload = encode_call(endpoint, request)
        link = self._least_busy(place) or await self._awaited(place)
        if link is None:
            return Failure(CONNECT, f"there is no worker {place} at present")
        found = await self._outcome(link, payload)
        if isinstance(found, Failure):
            return found
        its = None if place is None else self.links.get(link)
        return _located(decode_outcome(found), its)

    async def _outcome(self, link: Link, payload: bytes) -> bytes | Failure:
        """Execute one attempt in this worker; return its outcome as bytes, or that the worker was lost."""
        attempt = next(self._attempts)
        outcome: asyncio.Future[bytes | Failure] = asyncio.get_running_loop().create_future()
        self._outcomes[attempt] = outcome
        link.issue(attempt, payload)
        try:
            return await outcome
        except asyncio.CancelledError:
            link.cancel(attempt)
            raise
        finally:
            del self._outcomes[attempt]

    def _least_busy(self, place: int | None) -> Link | None:
        if place is None:
            return min(self.links, key=_in_flight, default=None)
        return next((link for link, its in self.links.items() if its and its.number == place), None)

    async def _awaited(self, place: int | None) -> Link | None:
        """Wait for a worker; return ``None`` if only others have come, which can do more."""
        try:
            async with asyncio.timeout(None) as patience:
                while (link := self._least_busy(place)) is None:
                    if not self.links:
                        patience.reschedule(None)
                    elif patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + REPLACED)
                    await self._changed.wait()
        except TimeoutError:
            return None
        return link

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

    def __init__(self, pool: WorkerPool, number: int, place: int | None = None) -> None:
        self._pool = pool
        self._number = number
        self._place = place

    def at(self, place: int) -> WorkerEndpoint:
        """Return the endpoint of the worker in one place alone."""
        return WorkerEndpoint(self._pool, self._number, place)

    async def complete(self, request: Request) -> Outcome:
        """Make one attempt."""
        return await self._pool.execute(self._number, request, self._place)


_ABANDONED = Failure(
    WORKER_LOST, "the worker abandoned the attempt, because it did not reach the driver", about_request=True
)


def _located(outcome: Outcome, place: Place | None) -> Outcome:
    """Return an outcome whose failure says on which machine it happened."""
    if place is None or not isinstance(outcome, Failure):
        return outcome
    return replace(outcome, message=f"on {place.host}: {outcome.message}")


def _in_flight(link: Link) -> int:
    return link.in_flight
