"""What is said of one run and is no part of the job; and whom it tells how it fares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from batch.ports import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.app.watchdog import Watchdog
    from batch.policy.standing import Standing


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What belongs to one run and not to the job.

    ``limit`` is the number of requests to send at most, ``max_duration`` is in seconds. ``signals``: SIGINT,
    SIGTERM and SIGHUP stop the run; only for the main thread of a process of our own, which a ``watchdog``
    may watch. ``retry``: failed requests are sent again, also those that were given up. ``prune``: lines of
    requests that the job no longer has are dropped from the output, and what earlier runs have set aside is
    removed. ``adopt``: the output may be one that another job file wrote.
    """

    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: Literal["fsync", "flush"] = "fsync"
    signals: bool = False
    retry: bool = False
    prune: bool = False
    adopt: bool = False
    watchdog: Watchdog | None = None


class RunReporter(Reporter, Protocol):
    """A reporter that is also told where the run starts, and how far the weights have come."""

    def start(self, total: int, already: int) -> None:
        """The job has ``total`` requests, ``already`` of them need nothing more."""
        ...

    def found(self, total: int, already: int) -> None:
        """The same again, of a job that is read while it runs: so far it has as many."""
        ...

    def fetching(self, done: int, total: int) -> None:
        """Bytes of the embedded model's weights; told in a worker thread."""
        ...

    def remark(self, message: str) -> None:
        """What a person may want to know, and is no trouble: a quiet run leaves it to the log."""
        ...

    def watch(self, look: Callable[[], Standing] | None) -> None:
        """From now on ``look`` says how the engine stands; ``None``: nothing is under way any more."""
        ...
