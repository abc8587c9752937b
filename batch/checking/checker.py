"""Checks answers outside the event loop, in a few processes that are started on demand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread
import msgspec

from batch.checking.messages import CheckRequest
from batch.checking.process import CheckingProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from batch.checking.messages import CheckResult

MAX_PROCESSES = min(4, os.cpu_count() or 1)
"""Maximum number of processes."""

SPAWN_DELAY = 0.25
"""Seconds that an answer waits for a process before another one is started."""


class Checker:
    """The checking processes of one run; an async context manager that ends all of them.

    Answers are checked in the order of arrival. A slow check occupies one process; the others continue.
    """

    def __init__(self) -> None:
        self._processes: list[CheckingProcess] = []
        self._limiter: anyio.CapacityLimiter | None = None
        self._idle: MemoryObjectReceiveStream[CheckingProcess] | None = None
        self._release: MemoryObjectSendStream[CheckingProcess] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.close()
        if self._idle is not None and self._release is not None:
            self._idle.close()
            self._release.close()

    async def check(self, text: str, response_format: Mapping[str, object]) -> CheckResult:
        """Return the result of checking an answer. A cancellation ends the check."""
        task = CheckRequest(
            "answer", msgspec.json.encode(response_format), text.encode("utf-8", "surrogatepass")
        )
        process = await self._free_process()
        try:
            return await anyio.to_thread.run_sync(
                process.check, task, abandon_on_cancel=True, limiter=self._limiter
            )
        except anyio.get_cancelled_exc_class():
            process.close()  # this also ends the thread
            self._processes.remove(process)
            process = self._new_process()
            raise
        finally:
            if self._release is not None:
                self._release.send_nowait(process)

    async def _free_process(self) -> CheckingProcess:
        if self._idle is None:
            self._release, self._idle = anyio.create_memory_object_stream[CheckingProcess](MAX_PROCESSES)
            self._limiter = anyio.CapacityLimiter(
                2 * MAX_PROCESSES
            )  # a separate limiter: slow checks must not delay the disk
            return self._new_process()
        if len(self._processes) < MAX_PROCESSES:
            with anyio.move_on_after(SPAWN_DELAY):
                return await self._idle.receive()
            if len(self._processes) < MAX_PROCESSES:
                return self._new_process()
        return await self._idle.receive()

    def _new_process(self) -> CheckingProcess:
        process = CheckingProcess()
        self._processes.append(process)
        return process
