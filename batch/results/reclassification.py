"""Reclassification of stored results by their finish reasons.

Earlier versions stored answers that were broken off, filtered or cut at their limit as complete. A job can
also add a finish reason to ``finish_reasons`` after answers with it have failed. The stored finish reason
decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from batch.failure_codes import EMPTY_LENGTH, LENGTH, UNKNOWN_FINISH
from batch.finish_reasons import NO_WORDS, Ending, FinishReasons, classify
from batch.records import ResultError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.records import Result

_CODES = {
    Ending.FILTERED: "filtered",
    Ending.BROKEN_OFF: "broken_off",
    Ending.UNKNOWN: UNKNOWN_FINISH,
}


class Restate(Struct, frozen=True):
    """How a job classifies stored results.

    ``finish_reasons`` are the job's additions. ``accepts_length``: an answer that was cut at its limit is a
    result. ``checks_form``: answers are validated, so an answer that was not validated has to be requested
    again. ``knows_words`` is false if the job's additions are not known: then an unknown finish reason
    decides nothing.
    """

    finish_reasons: FinishReasons = NO_WORDS
    accepts_length: bool = True
    checks_form: Callable[[], bool] = bool
    knows_words: bool = True

    def __call__(self, result: Result) -> Result:
        """Return the result, reclassified if its finish reason requires that."""
        if result.finish_reason is None:
            return result
        ending = classify(result.finish_reason, self.finish_reasons)
        if result.status == "succeeded":
            return self._of_success(result, ending)
        if result.error is not None and result.error.code == UNKNOWN_FINISH:
            return self._of_unknown(result, ending)
        return result

    def _of_success(self, result: Result, ending: Ending | None) -> Result:
        if ending in _CODES and (ending is not Ending.UNKNOWN or self.knows_words):
            return _failed(result, _CODES[ending], f"the finish reason is {result.finish_reason!r}")
        if ending is not Ending.LENGTH:
            return result
        if not _has_output(result):
            return _failed(result, EMPTY_LENGTH, "the token limit was reached before the answer began")
        if result.verdict is Verdict.LENGTH:
            return result
        if self.accepts_length:
            return replace(result, verdict=Verdict.LENGTH)
        return _failed(result, LENGTH, "cut off at the token limit")

    def _of_unknown(self, result: Result, ending: Ending | None) -> Result:
        """Return the answer of a line whose finish reason the job now knows."""
        if ending not in (Ending.COMPLETE, Ending.LENGTH) or not _has_output(result):
            return result
        if self.checks_form() or (ending is Ending.LENGTH and not self.accepts_length):
            error = result.error and replace(result.error, retryable=True)
            return replace(result, error=error)
        return replace(
            result,
            status="succeeded",
            text=result.partial_text or "",
            verdict=Verdict.COMPLETE if ending is Ending.COMPLETE else Verdict.LENGTH,
            error=None,
            partial_text=None,
        )


WITHOUT_JOB = Restate(knows_words=False)
"""The classification for lines of an unknown job."""


def _failed(result: Result, code: str, message: str) -> Result:
    """Return a stored answer as a failure. Its request is sent again, unless that would give the same."""
    retryable = code != EMPTY_LENGTH
    error = ResultError(code, message, None, retryable=retryable, runs=0, history=[])
    return replace(
        result,
        status="failed",
        text=None,
        verdict=None,
        error=error,
        partial_text=result.text or None,
        parsed=None,
    )


def _has_output(result: Result) -> bool:
    return bool(result.text or result.partial_text or result.tool_calls or result.refusal)
