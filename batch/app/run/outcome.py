"""The state of a run once it has stopped sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.app.run.quotas import Spending

if TYPE_CHECKING:
    from asyncio import CancelledError

    from batch.scheduling.retry import Parking


class RunOutcome(Struct, frozen=True):
    """Why a run has stopped sending, and what it spent. The defaults mean that nothing was sent.

    ``parkings`` names the targets that were parked for the rest of the run. ``limits`` are sentences about
    the limits that were reached. ``signal`` is the number of the signal that stopped the run;
    ``must_end_now``: a second one arrived. ``held_back`` is the code of the failures that limited the
    concurrency for most of the run. ``error`` ended the run early; a cancellation is one, too.
    """

    parkings: tuple[tuple[str, Parking], ...] = ()
    limits: tuple[str, ...] = ()
    signal: int | None = None
    must_end_now: bool = False
    checks: int = 0
    held_back: str | None = None
    spending: Spending = Spending()
    error: Exception | CancelledError | None = None

    def check(self) -> None:
        """Raise the error that ended the run early, if there is one."""
        if self.error is not None:
            raise self.error
