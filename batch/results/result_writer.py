"""The single writer of a run: collects results and writes them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from batch.errors import UnencodableError
from batch.results.result_line import encodable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch.protocols import Sink
    from batch.records import Result

GATHER = 0.05
"""Seconds for which results are collected before they are written together."""

BACKLOG = 1000
"""Number of unwritten results at which no new request is sent, because the disk is slow."""


class ResultWriter:
    """Writes results to a sink; ``report`` is called with them once they are durable.

    ``run`` does the writing, in a task of its own.
    """

    def __init__(self, sink: Sink, report: Callable[[Sequence[Result]], None]) -> None:
        self._sink = sink
        self._report = report
        self._results: list[Result] = []
        self._is_over = False
        self._to_write = anyio.Event()
        self._room = anyio.Event()

    @property
    def is_full(self) -> bool:
        """Whether so many results wait that no new request may be sent."""
        return len(self._results) >= BACKLOG

    def add(self, result: Result) -> None:
        """Write the result soon."""
        if not self._results:
            self._to_write.set()
        self._results.append(result)

    def end(self) -> None:
        """Let ``run`` return once everything is written: there will be no more results."""
        self._is_over = True
        self._to_write.set()

    async def wait_for_room(self) -> None:
        """Wait until the writer is no longer full."""
        while self.is_full:
            if self._room.is_set():
                self._room = anyio.Event()
            await self._room.wait()

    async def run(self) -> None:
        """Write what is added until the end. A cancellation is raised once everything added is written.

        Raises ``OutputWriteError``.
        """
        try:
            while not (self._is_over and not self._results):
                await self._to_write.wait()
                if not self._is_over:
                    await anyio.sleep(GATHER)
                await self._write()
        except anyio.get_cancelled_exc_class():
            await self._write()
            raise

    async def _write(self) -> None:
        if not self._is_over:
            self._to_write = anyio.Event()
        results: Sequence[Result] = self._results
        self._results = []
        self._room.set()
        if results:
            with anyio.CancelScope(shield=True):
                results = await stored(self._sink, results)
            self._report(results)


async def stored(sink: Sink, results: Sequence[Result]) -> Sequence[Result]:
    """Write the results, and return them as written: a result that cannot be encoded as JSON is a failure.

    Raises ``OutputWriteError``.
    """
    try:
        await sink.write(results)
    except UnencodableError as error:
        results = encodable(results, error.why)
        await sink.write(results)
    return results
