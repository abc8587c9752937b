"""The events of a run, as values. The runner calls its observers (``protocols``) with each of them."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure, Known, Request, Result
    from batch.run_summary import Summary


class Parked(Struct, frozen=True):
    """An endpoint that gets no requests, or only probes, because of ``code``.

    ``seconds`` is the time until it gets requests again; ``None``: not in this run. While the circuit
    ``is_open``, it is probed for at most that time.
    """

    name: str
    code: str
    seconds: float | None
    is_open: bool = False


UNPROVEN = "unproven"
"""A reason why fewer requests are in flight than the job allows: the endpoint has not answered yet."""


class HeldBack(Struct, frozen=True):
    """The endpoint is limited to fewer requests in flight than the job's ``limit``.

    ``reason`` is ``UNPROVEN``, or the code of the failures that lowered the limit.
    """

    limit: int
    reason: str


class EndpointLoad(Struct, frozen=True):
    """Attempts in flight on one endpoint, and their limit: 0 while the endpoint is parked."""

    name: str
    in_flight: int
    limit: int


class Snapshot(Struct, frozen=True):
    """Attempts in flight and their limit, waiting retries, and parked endpoints.

    ``is_limited``: the next request of some model waits for a budget or a rate limit, the job's or the
    server's. ``held_back`` explains why ``allowed`` is below the job's limit, if congestion or the first
    request is the cause. ``endpoints`` are those of all models, in the order of the job.
    """

    in_flight: int = 0
    allowed: int = 0
    waiting: int = 0
    is_limited: bool = False
    parked: tuple[Parked, ...] = ()
    held_back: HeldBack | None = None
    endpoints: tuple[EndpointLoad, ...] = ()


class Level(Enum):
    """The severity of a notice. A quiet run shows only warnings; the log contains both."""

    INFO = auto()
    WARNING = auto()


class Event(Struct, frozen=True, gc=False):
    """Base of all events."""


class DownloadProgressed(Event, frozen=True, gc=False):
    """``done`` of ``total`` bytes of the model's weights are downloaded; sent from a worker thread."""

    done: int
    total: int


class RunStarted(Event, frozen=True, gc=False):
    """The job has ``total`` requests; ``settled`` of them need no attempt.

    Unless ``is_whole``, these count only the requests that have been read so far.
    """

    total: int
    settled: int
    is_whole: bool = True


class PlanGrew(Event, frozen=True, gc=False):
    """Updated numbers of a job that is read while it runs. ``is_whole``: all of it has been read."""

    total: int
    settled: int
    is_whole: bool = False


class AttemptStarted(Event, frozen=True, gc=False):
    """An attempt of a request has started."""

    request: Request


class AttemptFailed(Event, frozen=True, gc=False):
    """An attempt failed. It is retried in ``retry_in`` seconds, or not at all."""

    request: Request
    failure: Failure
    retry_in: float | None


class ResultsDurable(Event, frozen=True, gc=False):
    """Results are on disk."""

    results: Sequence[Result]


class Notice(Event, frozen=True, gc=False):
    """One sentence for the user, such as that an endpoint is parked."""

    message: str
    level: Level = Level.WARNING


class Tick(Event, frozen=True, gc=False):
    """About a second has passed. ``snapshot`` is the state of the engine; ``None`` once it has stopped."""

    snapshot: Snapshot | None


class ObserverFailed(Event, frozen=True, gc=False):
    """An observer raised ``error`` for the first time. The run continues."""

    error: Exception


class EarlierFailures(Event, frozen=True, gc=False):
    """The job's requests that failed in earlier runs and have not succeeded in this one, by id.

    ``documents`` are the paths of documents that cannot be read, by the ids of their requests. Unless
    ``is_whole``, only a part of the job has been read.
    """

    known: Mapping[str, Known]
    documents: Mapping[str, str]
    is_whole: bool


class RunEnded(Event, frozen=True, gc=False):
    """The run is over, and its summary has been written."""

    summary: Summary


class ProcessEnding(Event, frozen=True, gc=False):
    """The process ends immediately, because of ``why``."""

    why: str
