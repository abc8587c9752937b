"""Build the summary of a run from its counters.

It includes the versions in use, the start time and the hash of the job file.
"""

from __future__ import annotations

import hashlib
import platform
import signal
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from batch._version import __version__
from batch.app.run.timestamps import utc_now
from batch.app.run.totals import totals
from batch.exit_codes import exit_code
from batch.failure_codes import WORKER_LOST
from batch.records import SCHEMA_VERSION
from batch.run_summary import Summary
from batch.scheduling.resume import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.app.run.outcome import RunOutcome
    from batch.app.run.plan import Plan
    from batch.app.run.run_statistics import Statistics
    from batch.errors import PromptJobsError
    from batch.jobfile.job import JobFile

_PACKAGES = ("aiohttp", "anyio", "jinja2", "msgspec", "pydantic", "uvloop", "xllamacpp")
"""The packages that determine what is sent, how it is read, or what answers."""


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known when a run starts; ``at`` is UTC, ``clock`` the seconds of the monotonic clock."""

    at: str
    clock: float
    job_sha256: str | None
    versions: dict[str, str]

    @classmethod
    def of(cls, job: JobFile) -> RunStart:
        """Record the start of a run. Reads the job file once, which takes a while if it is large."""
        at, clock = utc_now(), time.monotonic()
        return cls(at, clock, sha256(job.path), versions())

    @property
    def seconds(self) -> float:
        """Return the seconds since the run started."""
        return time.monotonic() - self.clock


def versions() -> dict[str, str]:
    """Return the versions of this program, of Python and of the relevant installed packages."""
    found = {"promptjobs": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sha256(path: Path) -> str | None:
    """Return a file's SHA-256 in hexadecimal, as ``sha256sum`` prints it; ``None`` if there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class _Left:
    """What a run has left undone.

    ``pending`` requests were to be sent, ``unselected`` ones were not. ``is_partial``: the inputs changed,
    so that there may be others.
    """

    pending: int
    unselected: int
    is_partial: bool

    @classmethod
    def of(cls, plan: Plan, statistics: Statistics) -> _Left:
        return cls(
            pending=plan.to_do - statistics.succeeded - statistics.failed,
            unselected=plan.left_out[State.NEW] + plan.left_out[State.CHANGED],
            is_partial=plan.changes.is_partial,
        )


def build(
    job: JobFile,
    plan: Plan,
    statistics: Statistics,
    outcome: RunOutcome,
    run_start: RunStart,
    *,
    orphans: int,
    fail_fast: bool,
    error: PromptJobsError | None = None,
) -> Summary:
    """Return the summary of a run that ends now; ``error`` is the error that ended it early.

    The plan counted what there was to do, the statistics what was done. The function is long because a
    summary has many fields, each of which has its source here.
    """
    counts, left, spending = totals(plan, statistics), _Left.of(plan, statistics), outcome.spending
    has_failed_fast = fail_fast and statistics.failed > 0
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=job.name,
        output=str(job.output),
        exit_code=_exit_code(left, outcome, error, has_failures=counts.failed > 0),
        total=plan.total,
        succeeded=counts.succeeded,
        failed=counts.failed,
        pending=counts.pending,
        sent=statistics.succeeded + statistics.failed,
        attempts=statistics.attempts,
        prompt_tokens=statistics.prompt_tokens,
        completion_tokens=statistics.completion_tokens,
        cost=spending.cost,
        unmetered=spending.unmetered,
        seconds=round(run_start.seconds, 3),
        reasons=_reasons(plan, left, outcome, error, has_failed_fast=has_failed_fast),
        orphans=orphans,
        resumed=plan.settled,
        codes=dict(counts.codes),
        latency=statistics.latency.percentiles(),
        first_byte=statistics.first_byte.percentiles(),
        started_at=run_start.at,
        ended_at=utc_now(),
        job_sha256=run_start.job_sha256,
        versions=run_start.versions,
        checks=outcome.checks,
        failures=statistics.failures,
        held_back=outcome.held_back,
        currency=job.currency,
        provider_cost=spending.provider_cost,
        cached_tokens=statistics.cached_tokens,
        cache_write_tokens=statistics.cache_write_tokens,
        reasoning_tokens=statistics.reasoning_tokens,
        wasted=statistics.failed_attempts[WORKER_LOST],
    )


def _exit_code(left: _Left, outcome: RunOutcome, error: PromptJobsError | None, *, has_failures: bool) -> int:
    """Return the exit code; requests that a limit or the selection left out count as out of budget."""
    return exit_code(
        failed=has_failures,
        parkings=[parking for _, parking in outcome.parkings],
        out_of_budget=bool((left.pending and outcome.limits) or left.unselected),
        signal=outcome.signal,
        error=None if error is None else error.exit_code,
        pending=bool(left.pending or left.unselected or left.is_partial),
    )


def _reasons(
    plan: Plan, left: _Left, outcome: RunOutcome, error: PromptJobsError | None, *, has_failed_fast: bool
) -> list[str]:
    """Return why requests are pending, and why the run stopped or failed."""
    reasons = [f"{name}: {parking.code}: {parking.why}" for name, parking in outcome.parkings]
    if left.pending:
        reasons += _interruptions(outcome, has_failed_fast=has_failed_fast)
    if left.unselected:
        reasons.append(f"pending requests that were not selected: {left.unselected}")
    if left.pending or left.is_partial:
        reasons += plan.changes.reasons()
    if error is not None:
        reasons.append(str(error))
    elif left.pending and not reasons:
        reasons.append(f"{left.pending} requests were not sent; run the same command to resume")
    return reasons


def _interruptions(outcome: RunOutcome, *, has_failed_fast: bool) -> Iterator[str]:
    """Return what has kept the run from sending all that it was to send."""
    yield from outcome.limits
    if outcome.signal is not None:
        name = signal.Signals(outcome.signal).name
        yield f"{name}: the run was stopped; run the same command to resume"
    if has_failed_fast:
        yield "--fail-fast: a request has failed"
