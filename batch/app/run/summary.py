"""What a run came to, put together from those who have counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.app.run.timestamps import utc_now
from batch.records import SCHEMA_VERSION, Summary
from batch.scheduling.resume import State

if TYPE_CHECKING:
    from batch.app.run.plan import Plan
    from batch.app.run.provenance import Beginning
    from batch.app.run.quotas import Spending
    from batch.app.run.run_statistics import Statistics
    from batch.jobfile.job import JobFile


@dataclass(frozen=True, slots=True)
class Account:
    """What has been counted: by the plan what there was to do, by the statistics what was done."""

    job: JobFile
    plan: Plan
    statistics: Statistics
    spending: Spending
    checks: int
    held_back: str | None = None

    def summary(self, begun: Beginning, *, exit_code: int, reasons: list[str], orphans: int) -> Summary:
        """The summary of a run that ends now."""
        plan, statistics = self.plan, self.statistics
        return Summary(
            schema_version=SCHEMA_VERSION,
            name=self.job.name,
            output=str(self.job.output),
            exit_code=exit_code,
            total=plan.total,
            succeeded=plan.states[State.DONE] + statistics.succeeded,
            failed=plan.given_up + statistics.failed,
            pending=plan.to_do - statistics.succeeded - statistics.failed,
            sent=statistics.succeeded + statistics.failed,
            attempts=statistics.attempts,
            prompt_tokens=statistics.prompt_tokens,
            completion_tokens=statistics.completion_tokens,
            cost=self.spending.cost,
            unmetered=self.spending.unmetered,
            seconds=round(begun.seconds, 3),
            reasons=reasons,
            orphans=orphans,
            resumed=plan.settled,
            codes=dict(statistics.codes + plan.given_up_codes),
            latency=statistics.latency.percentiles(),
            first_byte=statistics.first_byte.percentiles(),
            started_at=begun.at,
            ended_at=utc_now(),
            job_sha256=begun.job_sha256,
            versions=begun.versions,
            checks=self.checks,
            failures=statistics.failures,
            held_back=self.held_back,
            currency=self.spending.currency,
            provider_cost=self.spending.provider_cost,
            cached_tokens=statistics.cached_tokens,
            cache_write_tokens=statistics.cache_write_tokens,
            reasoning_tokens=statistics.reasoning_tokens,
        )
