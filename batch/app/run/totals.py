"""Where the requests of a job stand after a run, counted as ``status``, ``check`` and ``show`` count them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from batch.scheduling.resume import State

if TYPE_CHECKING:
    from batch.app.run.plan import Plan
    from batch.app.run.run_statistics import Statistics


class Totals(Struct, frozen=True):
    """Requests by their latest line. ``pending`` ones have none of what the job asks now.

    ``codes`` counts the failed ones by the codes of their errors.
    """

    succeeded: int
    failed: int
    pending: int
    codes: Counter[str]


def totals(plan: Plan, statistics: Statistics) -> Totals:
    """Add this run's results to what the output held before, without what they have replaced."""
    replaced = plan.replaced
    successes, failures = (replaced.successes, replaced.failures) if replaced else (0, Counter[str]())
    succeeded = plan.states[State.DONE] - successes + statistics.succeeded
    codes = plan.failed_codes - failures + statistics.codes
    # A document that was edited during the run may have a line of its earlier version as well.
    failed = min(codes.total(), plan.total - succeeded)
    return Totals(succeeded, failed, plan.total - succeeded - failed, codes)
