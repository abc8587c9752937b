"""What a run came to, put together from those who have counted.

What a run was made with, and when it began: the versions at work, the job file's hash.
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
from batch.records import SCHEMA_VERSION, Summary
from batch.scheduling.resume import State

if TYPE_CHECKING:
    from pathlib import Path

    from batch.app.run.outcome import RunOutcome
    from batch.app.run.plan import Plan
    from batch.app.run.run_statistics import Statistics
    from batch.errors import PromptJobsError
    from batch.jobfile.job import JobFile

_PACKAGES = ("aiohttp", "anyio", "jinja2", "msgspec", "pydantic", "uvloop", "xllamacpp")
"""Those that shape what is sent, how it is read, or what answers."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a run when it begins; ``at`` is UTC, ``clock`` the steady clock's seconds."""

    at: str
    clock: float
    job_sha256: str | None
    versions: dict[str, str]

    @classmethod
    def of(cls, job: JobFile) -> Beginning:
        """A run begins now. Reads the job file once, which takes a while where that is large."""
        at, clock = utc_now(), time.monotonic()
        return cls(at, clock, sha256(job.path), versions())

    @property
    def seconds(self) -> float:
        """For how long the run has been going."""
        return time.monotonic() - self.clock


def versions() -> dict[str, str]:
    """The version of this program, of Python and of the packages that are installed of those that matter."""
    found = {"promptjobs": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def sha256(path: Path) -> str | None:
    """The SHA-256 of a file in hexadecimal, as ``sha256sum`` prints it; ``None`` where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(
    job: JobFile,
    plan: Plan,
    statistics: Statistics,
    outcome: RunOutcome,
    begun: Beginning,
    *,
    orphans: int,
    fail_fast: bool,
    error: PromptJobsError | None = None,
) -> Summary:
    """Return the summary of a run that ends now; ``error`` is what ended it early.

    The plan has counted what there was to do, the statistics what was done.
    """
    counts = totals(plan, statistics)
    unselected = plan.left_out[State.NEW] + plan.left_out[State.CHANGED]
    pending = plan.to_do - statistics.succeeded - statistics.failed
    has_failed = fail_fast and statistics.failed > 0
    spending = outcome.spending
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=job.name,
        output=str(job.output),
        exit_code=exit_code(
            failed=counts.failed > 0,
            parkings=[parking for _, parking in outcome.parkings],
            out_of_budget=bool((pending and outcome.limits) or unselected),
            signal=outcome.signal,
            error=None if error is None else error.exit_code,
            pending=bool(pending or unselected or plan.changes.is_partial),
        ),
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
        seconds=round(begun.seconds, 3),
        reasons=_reasons(plan, outcome, pending, error, has_failed_fast=has_failed),
        orphans=orphans,
        resumed=plan.settled,
        codes=dict(counts.codes),
        latency=statistics.latency.percentiles(),
        first_byte=statistics.first_byte.percentiles(),
        started_at=begun.at,
        ended_at=utc_now(),
        job_sha256=begun.job_sha256,
        versions=begun.versions,
        checks=outcome.checks,
        failures=statistics.failures,
        held_back=outcome.held_back,
        currency=job.currency,
        provider_cost=spending.provider_cost,
        cached_tokens=statistics.cached_tokens,
        cache_write_tokens=statistics.cache_write_tokens,
        reasoning_tokens=statistics.reasoning_tokens,
    )


def _reasons(
    plan: Plan, outcome: RunOutcome, pending: int, error: PromptJobsError | None, *, has_failed_fast: bool
) -> list[str]:
    """Say why requests are pending, the run stopped or ended in an error."""
    reasons = [f"{name}: {parking.code}: {parking.why}" for name, parking in outcome.parkings]
    if pending:
        reasons += outcome.limits
        if outcome.signal is not None:
            reasons.append(f"{signal.Signals(outcome.signal).name}: the run was told to stop")
        if has_failed_fast:
            reasons.append("--fail-fast: a request has failed")
    if unselected := plan.left_out[State.NEW] + plan.left_out[State.CHANGED]:
        reasons.append(f"pending requests that were not selected: {unselected}")
    if pending or plan.changes.is_partial:
        reasons += plan.changes.reasons()
    if error is not None:
        reasons.append(str(error))
    elif pending and not reasons:
        reasons.append(f"{pending} requests have not been sent; run it again")
    return reasons
