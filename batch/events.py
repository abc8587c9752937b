"""What happens in a run, as values. Observers (``protocols``) are called with each of them."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.records import Failure, Request, Result, Summary


class Parked(Struct, frozen=True):
    """An endpoint that gets no requests, or only probes, for the reason ``code``.

    ``seconds`` are those until it gets requests again; ``None``: not in this run. While the circuit
    ``is_open`` it is probed, for that long at most.
    """

    name: str
    code: str
    seconds: float | None
    is_open: bool = False


UNPROVEN = "unproven"
"""Why fewer requests are in flight than the job allows: the endpoint has not given its first answer yet."""


class HeldBack(Struct, frozen=True):
    """Fewer requests may be in flight than the job's ``limit``.

    ``reason`` is ``UNPROVEN``, or the code of the failures that have lowered the limit.
    """

    limit: int
    reason: str


class Snapshot(Struct, frozen=True):
    """Attempts in flight and the limit on them, retries that wait, and parked endpoints.

    ``is_limited``: some model's next request waits for a budget or a rate, the job's or the server's own.
    ``held_back`` says why ``allowed`` is below the job's limit, where congestion or the first request is why.
    """

    in_flight: int = 0
    allowed: int = 0
    waiting: int = 0
    is_limited: bool = False
    parked: tuple[Parked, ...] = ()
    held_back: HeldBack | None = None


class Level(Enum):
    """How much a notice matters. A quiet run shows warnings only; the log has both."""

    INFO = auto()
    WARNING = auto()


class Event(Struct, frozen=True, gc=False):
    """Base of all events."""


class DownloadProgressed(Event, frozen=True, gc=False):
    """``done`` of ``total`` bytes of the embedded model's weights are here; sent from a worker thread."""

    done: int
    total: int


class RunStarted(Event, frozen=True, gc=False):
    """The job has ``total`` requests, ``settled`` of them need nothing more.

    Unless ``is_whole``, these are only the requests that have been read by now.
    """

    total: int
    settled: int
    is_whole: bool = True


class PlanGrew(Event, frozen=True, gc=False):
    """The same numbers, of a job that is read while it runs. ``is_whole``: all of it has been read."""

    total: int
    settled: int
    is_whole: bool = False


class AttemptStarted(Event, frozen=True, gc=False):
    """An attempt of a request begins."""

    request: Request


class AttemptFailed(Event, frozen=True, gc=False):
    """An attempt failed. It is repeated in ``retry_in`` seconds, or not at all."""

    request: Request
    failure: Failure
    retry_in: float | None


class ResultsDurable(Event, frozen=True, gc=False):
    """Results are on disk."""

    results: Sequence[Result]


class Notice(Event, frozen=True, gc=False):
    """One sentence for a person, such as that an endpoint is parked."""

    message: str
    level: Level = Level.WARNING


class Tick(Event, frozen=True, gc=False):
    """About a second has passed. ``snapshot`` says how the engine is; ``None`` once it has stopped."""

    snapshot: Snapshot | None


class ObserverFailed(Event, frozen=True, gc=False):
    """An observer raised ``error`` for the first time. The run goes on."""

    error: Exception


class RunEnded(Event, frozen=True, gc=False):
    """The run is over, and its summary has been written."""

    summary: Summary


class ProcessEnding(Event, frozen=True, gc=False):
    """The process ends at once, whatever it is doing, for the reason ``why``."""

    why: str
