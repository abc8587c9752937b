"""What a run came to, put together from those who have counted.

What a run was made with, and when it began: the versions at work, the job file's hash.
"""

from __future__ import annotations

import hashlib
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from batch._version import __version__
from batch.app.run.timestamps import utc_now
from batch.app.run.totals import totals
from batch.records import SCHEMA_VERSION, Summary

if TYPE_CHECKING:
    from pathlib import Path

    from batch.app.run.plan import Plan
    from batch.app.run.quotas import Quotas
    from batch.app.run.run_statistics import Statistics
    from batch.app.run.totals import Replaced
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


@dataclass(frozen=True, slots=True)
class SummaryBuilder:
    """What has been counted: by the plan what there was to do, by the statistics what was done."""

    job: JobFile
    plan: Plan
    statistics: Statistics
    quotas: Quotas
    checks: int
    held_back: str | None = None
    replaced: Replaced | None = None

    def summary(self, begun: Beginning, *, exit_code: int, reasons: list[str], orphans: int) -> Summary:
        """The summary of a run that ends now."""
        plan, statistics = self.plan, self.statistics
        counts = totals(plan, statistics, self.replaced)
        return Summary(
            schema_version=SCHEMA_VERSION,
            name=self.job.name,
            output=str(self.job.output),
            exit_code=exit_code,
            total=plan.total,
            succeeded=counts.succeeded,
            failed=counts.failed,
            pending=counts.pending,
            sent=statistics.succeeded + statistics.failed,
            attempts=statistics.attempts,
            prompt_tokens=statistics.prompt_tokens,
            completion_tokens=statistics.completion_tokens,
            cost=self.quotas.cost,
            unmetered=self.quotas.unmetered,
            seconds=round(begun.seconds, 3),
            reasons=reasons,
            orphans=orphans,
            resumed=plan.settled,
            codes=dict(counts.codes),
            latency=statistics.latency.percentiles(),
            first_byte=statistics.first_byte.percentiles(),
            started_at=begun.at,
            ended_at=utc_now(),
            job_sha256=begun.job_sha256,
            versions=begun.versions,
            checks=self.checks,
            failures=statistics.failures,
            held_back=self.held_back,
            currency=self.quotas.currency,
            provider_cost=self.quotas.provider_cost,
            cached_tokens=statistics.cached_tokens,
            cache_write_tokens=statistics.cache_write_tokens,
            reasoning_tokens=statistics.reasoning_tokens,
        )
