"""The attempts that a worker executes, each in a task of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batch.executors.payloads import decode_call, encode_outcome
from batch.executors.protocol import Begin
from batch.scheduling.internal_errors import internal_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from batch.executors.protocol import Step
    from batch.protocols import Provider


class Attempts:
    """Carries out the steps of a ``WorkerSide``. ``done`` is called with each attempt and its outcome."""

    def __init__(self, endpoints: Sequence[Provider], done: Callable[[int, bytes], None]) -> None:
        self._endpoints = endpoints
        self._done = done
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Begin and stop attempts."""
        for step in steps:
            if isinstance(step, Begin):
                task = asyncio.create_task(self._execute(step.attempt, step.payload))
                self._tasks[step.attempt] = task
            elif (running := self._tasks.get(step.attempt)) is not None:
                running.cancel()

    async def _execute(self, attempt: int, payload: bytes) -> None:
        try:
            endpoint, request = decode_call(payload)
            outcome = encode_outcome(await self._endpoints[endpoint].complete(request))
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it costs its own attempt
            outcome = encode_outcome(internal_error(error))
        del self._tasks[attempt]
        self._done(attempt, outcome)
