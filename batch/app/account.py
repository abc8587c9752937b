"""What a run came to, put together from those who have counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch.app.dates import utc_now
from batch.policy.resume import State
from batch.records import SCHEMA_VERSION, Summary

if TYPE_CHECKING:
    from batch.app.plan import Plan
    from batch.app.provenance import Beginning
    from batch.app.spending import Spending
    from batch.app.tally import Tally
    from batch.jobfile.job import JobFile


@dataclass(frozen=True, slots=True)
class Account:
    """Those who have counted: the plan what there was to do, the tally what was done, and the spending."""

    job: JobFile
    plan: Plan
    tally: Tally
    spending: Spending
    checks: int
    held_back: str | None = None

    def summary(self, begun: Beginning, *, exit_code: int, reasons: list[str], orphans: int) -> Summary:
        """The summary of a run that ends now."""
        plan, tally = self.plan, self.tally
        return Summary(
            schema_version=SCHEMA_VERSION,
            name=self.job.name,
            output=str(self.job.output),
            exit_code=exit_code,
            total=plan.total,
            succeeded=plan.states[State.DONE] + tally.succeeded,
            failed=plan.given_up + tally.failed,
            pending=plan.to_do - tally.succeeded - tally.failed,
            sent=tally.succeeded + tally.failed,
            attempts=tally.attempts,
            prompt_tokens=tally.prompt_tokens,
            completion_tokens=tally.completion_tokens,
            cost=self.spending.cost,
            unmetered=self.spending.unmetered,
            seconds=round(begun.seconds, 3),
            reasons=reasons,
            orphans=orphans,
            resumed=plan.settled,
            codes=dict(tally.codes + plan.given_up_codes),
            latency=tally.latency.percentiles(),
            first_byte=tally.first_byte.percentiles(),
            started_at=begun.at,
            ended_at=utc_now(),
            job_sha256=begun.job_sha256,
            versions=begun.versions,
            checks=self.checks,
            failures=tally.failures,
            held_back=self.held_back,
            currency=self.spending.currency,
            provider_cost=self.spending.provider_cost,
            cached_tokens=tally.cached_tokens,
            cache_write_tokens=tally.cache_write_tokens,
            reasoning_tokens=tally.reasoning_tokens,
        )
