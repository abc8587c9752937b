"""Whether the requests that a run was limited to exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import UsageError
from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from batch.app.run.plan import Plan
    from batch.jobfile.job import JobFile


def check_selection(job: JobFile, plan: Plan) -> None:
    """Raise ``UsageError`` if a pattern of ``--only`` matches none of the job's requests."""
    if plan.unmatched:
        named = ", ".join(escape(pattern) for pattern in plan.selection.only if pattern in plan.unmatched)
        part = "" if job.shard is None else f"shard {job.shard} of "
        raise UsageError(
            f"--only: no request of {part}{job.path} has the id {named}; `promptjobs show {job.path}` lists "
            "the ids"
        )
