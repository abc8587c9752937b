"""Stored lines whose status contradicts the job's finish reasons."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from batch.results.reclassification import Restate

if TYPE_CHECKING:
    from collections import Counter

    from batch.jobfile.job import JobFile

_RESPONSE_FORMAT = "response_format"


def restate_of(job: JobFile) -> Restate:
    """Return how the job interprets stored lines."""

    @cache
    def checks_form() -> bool:
        parts = [*(model.params for model in job.models), *(prompt.params for prompt in job.prompts)]
        return any(_RESPONSE_FORMAT in params for params in parts) or _rows_name_a_format(job)

    return Restate(job.finish_reasons, accepts_length=job.on_length == "accept", checks_form=checks_form)


def sent_again(codes: Counter[str]) -> str | None:
    """Return a warning about stored lines that are not complete answers; ``None`` if there are none.

    ``codes`` counts lines by their corrected error; an empty code is an answer.
    """
    wrong = {code: number for code, number in sorted(codes.items()) if code}
    if not wrong:
        return None
    number = sum(wrong.values())
    kinds = ", ".join(f"{count} {code}" for code, count in wrong.items())
    return (
        f"{number} stored line{'s are' if number > 1 else ' is'} not a whole answer by the finish reason "
        f"({kinds}): those that the job still asks for are sent again"
    )


def written_again(number: int) -> str:
    """Return a warning about lines that were corrected without a request."""
    return f"{number} stored line{'s' * (number > 1)} corrected by the finish reason; nothing was sent"


def _rows_name_a_format(job: JobFile) -> bool:
    """Return whether rows may have a response format of their own."""
    if job.rows is None:
        return False
    with job.rows.open("rb") as stream:
        return any(_RESPONSE_FORMAT.encode() in line for line in stream)
