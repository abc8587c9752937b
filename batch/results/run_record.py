"""A run as its history keeps it: the summary, the options, and a timeline of at most 600 bins."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from batch.run_summary import Summary  # noqa: TC001 - the decoder needs it

MAX_BINS = 600


class Quantiles(Struct, frozen=True):
    """The 50th, 90th and 99th percentile of each bin, in seconds; ``None`` for a bin without successes."""

    p50: list[float | None] = []
    p90: list[float | None] = []
    p99: list[float | None] = []


class Load(Struct, frozen=True):
    """Attempts in flight on one endpoint and their limit: the mean of each bin, ``None`` without a sample."""

    in_flight: list[float | None] = []
    limit: list[float | None] = []


class ParkedInterval(Struct, frozen=True):
    """The time for which an endpoint got no requests, or only probes, because of ``code``.

    ``start`` and ``end`` are seconds since the start of the run. ``is_open``: its circuit was open.
    """

    endpoint: str
    code: str
    is_open: bool
    start: float
    end: float


class Timeline(Struct, frozen=True):
    """The course of a run in ``bins`` bins of ``width`` seconds; each list has one number per bin.

    The first bin begins with the run. ``succeeded`` and ``failed`` (by error code) count durable results,
    ``attempts`` started attempts, and ``failed_attempts`` failed ones by code, with those that are retried.
    Tokens and ``cost`` are those of the results. Quantiles are those of the successes. ``in_flight``,
    ``limit`` and ``retries_waiting`` are means of samples, ``None`` for a bin without one.
    """

    width: float = 1.0
    bins: int = 0
    succeeded: list[int] = []
    failed: dict[str, list[int]] = {}
    attempts: list[int] = []
    failed_attempts: dict[str, list[int]] = {}
    prompt_tokens: list[int] = []
    completion_tokens: list[int] = []
    cost: list[float] = []
    latency: Quantiles = Quantiles()
    first_byte: Quantiles = Quantiles()
    in_flight: list[float | None] = []
    limit: list[float | None] = []
    retries_waiting: list[float | None] = []
    endpoints: dict[str, Load] = {}
    parked: list[ParkedInterval] = []


class RecordedOptions(Struct, frozen=True):
    """How the run was started: the job's models and limits, and the options of ``RunOptions``.

    ``only`` and ``codes`` hold the first patterns. ``states`` are those of the requests that were sent.
    """

    models: list[str] = []
    concurrency: int = 0
    adaptive: bool = False
    limit: int | None = None
    max_duration: float | None = None
    fail_fast: bool = False
    durability: str = "fsync"
    prune: bool = False
    adopt: bool = False
    only: list[str] = []
    codes: list[str] = []
    states: list[str] = []


class RunRecord(Struct, frozen=True):
    """One line of ``<output>.runs.jsonl``."""

    schema_version: Literal[1]
    summary: Summary
    options: RecordedOptions = RecordedOptions()
    timeline: Timeline = Timeline()
