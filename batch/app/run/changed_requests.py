"""Messages about requests that have changed, and about the answers that a run replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import OutputWriteError, UsageError
from batch.results.filesystem import Disk, reason
from batch.results.superseded import check_superseded, superseded_path
from batch.scheduling.resume import State

if TYPE_CHECKING:
    from batch.app.run.plan import Plan
    from batch.jobfile.job import JobFile


def announcement(job: JobFile, plan: Plan) -> str:
    """Return how many requests have changed and where their answers go; empty if none have."""
    changed = plan.states[State.CHANGED] - plan.left_out[State.CHANGED]
    answers = plan.superseding - plan.forced
    if not changed:
        return ""
    have, their = ("has", "its") if changed == 1 else ("have", "their")
    text = f"{changed} of {plan.total} requests {have} changed since {their} last result"
    text += "" if changed == 1 else "s"
    if not answers:
        return text
    what = f"{their} succeeded answer" if changed == answers == 1 else f"{their} {_counted(answers)}"
    return f"{text}; {_fate(job, what, answers)}"


def forced_announcement(job: JobFile, plan: Plan) -> str:
    """Say how many succeeded requests are sent again and where their answers go; empty where none are."""
    number = plan.forced
    if not number:
        return ""
    have, what = ("has", "its answer") if number == 1 else ("have", "their answers")
    text = f"{number} of {plan.total} requests {have} succeeded and will be sent again"
    return f"{text}; {_fate(job, what, number)}"


def announcements(job: JobFile, plan: Plan) -> list[str]:
    """Return both announcements, without empty ones."""
    return [text for text in (announcement(job, plan), forced_announcement(job, plan)) if text]


def afterwards(job: JobFile, plan: Plan, kept: int) -> str:
    """Return the same for a job that was read while it ran; ``kept`` answers were moved."""
    changed = plan.states[State.CHANGED] - plan.left_out[State.CHANGED]
    if not changed and not kept and not plan.forced:
        return ""
    text = f"{changed} of {plan.total} requests had changed"
    text += f", {plan.forced} had succeeded and were sent again" if plan.forced else ""
    if kept:
        moved = "has moved" if kept == 1 else "have moved"
        text += f"; {_counted(kept)} {moved} to {superseded_path(job.output).name}"
    elif plan.superseding and job.on_change == "replace":
        text += f"; {_counted(plan.superseding)} {'was' if plan.superseding == 1 else 'were'} replaced"
    return text


def refusal(job: JobFile, plan: Plan) -> str:
    """Return why the job does not allow to supersede its succeeded answers; empty if it does."""
    if job.on_change != "refuse" or not plan.superseding:
        return ""
    return (
        f"{'; '.join(announcements(job, plan))}, which `output.on_change: refuse` does not allow; "
        "name another output (`-o FILE`), or set `output.on_change` to `keep` or `replace`"
    )


def refuse_changes(job: JobFile, plan: Plan) -> None:
    """Raise ``UsageError`` if there is a ``refusal``."""
    if why := refusal(job, plan):
        raise UsageError(why)


def check_sidecar(job: JobFile) -> None:
    """Check that superseded answers can be kept, before anything is sent.

    Raises ``ForeignOutputError`` and ``OutputWriteError``.
    """
    if job.on_change == "replace":
        return
    try:
        check_superseded(Disk(), job.output)
    except OSError as error:
        what = f"{superseded_path(job.output)} cannot be read: {reason(error)}"
        raise OutputWriteError(what) from error


def _fate(job: JobFile, what: str, number: int) -> str:
    """Say what becomes of so many answers that the job supersedes; ``what`` names them."""
    one = number == 1
    if job.on_change == "replace":
        return f"{what} {'is' if one else 'are'} replaced"
    if job.on_change == "refuse":
        return f"{what} would be superseded"
    return f"{what} move{'s' * one} to {superseded_path(job.output).name}"


def _counted(answers: int) -> str:
    return f"{answers} succeeded answer{'s' * (answers != 1)}"
