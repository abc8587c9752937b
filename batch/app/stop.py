"""Stopping a run before its end: by a signal, or by a limit of time."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from batch.ports import Reporter
    from batch.runner import Run


class Stopper:
    """Drains a run when it is told to, and remembers why."""

    def __init__(self, run: Run, reporter: Reporter, *, grace: float) -> None:
        self._run = run
        self._reporter = reporter
        self._grace = grace
        self.signal: int | None = None
        self.out_of_time = False

    async def on_signals(self) -> None:
        """SIGINT or SIGTERM drains; what is then under way has ``grace`` seconds. A second one stops now."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as tasks:
                async for number in signals:
                    if self.signal is not None:
                        self._run.cancel()
                        continue
                    self.signal = int(number)
                    self._reporter.notice(
                        f"{signal.Signals(number).name}: sending nothing more; what is under way has "
                        f"{self._grace:g} s, a second signal stops now"
                    )
                    self._run.drain()
                    tasks.start_soon(self._cancel_after, self._grace)

    async def after(self, seconds: float) -> None:
        """Drain once the time is up."""
        await anyio.sleep(seconds)
        self.out_of_time = True
        self._reporter.notice(f"the time limit of {seconds:g} s is reached: sending nothing more")
        self._run.drain()
        await self._cancel_after(self._grace)

    async def _cancel_after(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        self._run.cancel()
