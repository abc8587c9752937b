"""Builds the result line of a request from its last outcome.

A result that cannot be encoded as JSON does not affect the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct
from msgspec.structs import replace

from batch.failure_codes import BAD_ROW, INPUT_CHANGED, UNENCODABLE
from batch.records import SCHEMA_VERSION, Result, ResultError, Timings
from batch.scheduling.attempt_cost import cost_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure, JSONObject, Known, Outcome, Reply, Request, Usage
    from batch.scheduling.retry import Fail
    from batch.scheduling.task import Task

MAX_RUNS = 3
"""Number of runs with a transient failure after which a request counts as permanently failed."""


class Keep(Struct, frozen=True):
    """The optional parts of a line: the model's reasoning, and the messages that were sent."""

    reasoning: bool = True
    messages: bool = False


KEEP = Keep()
"""The default of a job."""


def succeeded(task: Task, reply: Reply, keep: Keep, *, at: str) -> Result:
    """Return the line of a request that has its reply. ``at`` is UTC, ISO 8601."""
    request = task.request
    return Result(
        schema_version=SCHEMA_VERSION,
        id=request.id,
        fingerprint=request.fingerprint,
        status="succeeded",
        text=reply.text,
        verdict=reply.verdict,
        finish_reason=reply.finish_reason,
        error=None,
        partial_text=None,
        reasoning=reply.reasoning if keep.reasoning else None,
        tool_calls=reply.tool_calls,
        refusal=reply.refusal,
        parsed=reply.parsed,
        model=request.model,
        served_by=reply.served_by,
        usage=reply.usage,
        cost=task.cost,
        attempts=task.attempts,
        timings=_timings(reply, task.queued),
        completed_at=at,
        metadata=request.metadata,
        messages=list(request.messages) if keep.messages else None,
        target=request.target,
        logprobs=reply.logprobs if reply.logprobs and _asks_for_logprobs(request) else None,
        redacted=reply.redacted,
        cost_source=UNSET if task.cost is None else cost_source(task),
    )


def failed(
    task: Task, failure: Failure, verdict: Fail, keep: Keep, *, before: Known | None, at: str
) -> Result:
    """Return the line of a failed request. ``before`` is the line of an earlier run."""
    request = task.request
    runs = _runs(task, before) + 1
    error = ResultError(
        code=verdict.code,
        message=failure.message,
        http_status=failure.http_status,
        retryable=verdict.retryable and runs < MAX_RUNS,
        runs=runs,
        history=task.history,
    )
    result = _failure(
        request,
        error,
        at,
        finish_reason=failure.finish_reason if failure.finished else None,
        partial_text=task.partial_text,
        usage=failure.usage,
        cost=task.cost,
        attempts=task.attempts,
        timings=_timings(failure, task.queued),
        messages=list(request.messages) if keep.messages else None,
        redacted=task.redacted or failure.redacted,
    )
    result = replace(result, cost_source=cost_source(task))
    return result if failure.answer is None else _with_answer(result, failure.answer, keep, request)


def _with_answer(result: Result, answer: Reply, keep: Keep, request: Request) -> Result:
    """Return the line with the whole answer of an unknown finish reason: it may be complete."""
    return replace(
        result,
        partial_text=answer.text,
        reasoning=answer.reasoning if keep.reasoning else None,
        tool_calls=answer.tool_calls,
        refusal=answer.refusal,
        served_by=answer.served_by,
        logprobs=answer.logprobs if answer.logprobs and _asks_for_logprobs(request) else None,
    )


def _asks_for_logprobs(request: Request) -> bool:
    extra = request.params.get("extra_body")
    asked = {**(extra if isinstance(extra, dict) else {}), **request.params}
    return any(asked.get(name) for name in ("logprobs", "top_logprobs"))


def refused(request: Request, why: str, at: str) -> Result:
    """Return the line of a request that is not sent, because its row is bad."""
    error = ResultError(BAD_ROW, why, None, retryable=False, runs=1, history=[])
    return _failure(request, error, at, attempts=0, timings=Timings(None, None, None))


def unreadable(request: Request, why: str, at: str) -> Result:
    """Return the line of a request that is not sent, because its document or row became unreadable."""
    error = ResultError(INPUT_CHANGED, why, None, retryable=True, runs=1, history=[])
    return _failure(request, error, at, attempts=0, timings=Timings(None, None, None))


def encodable(results: Sequence[Result], why: Mapping[int, str]) -> list[Result]:
    """Return the results, with those at the positions in ``why`` as failures of plain texts and numbers.

    Their metadata and messages are omitted, since these may be what cannot be encoded as JSON.
    """
    return [_unencodable(result, why[at]) if at in why else result for at, result in enumerate(results)]


def _unencodable(result: Result, why: str) -> Result:
    history = [] if result.error is None else result.error.history
    error = ResultError(UNENCODABLE, why, None, retryable=False, runs=1, history=history)
    return replace(
        result,
        status="failed",
        text=None,
        verdict=None,
        finish_reason=None,
        error=error,
        partial_text=result.partial_text if result.text is None else result.text,
        reasoning=None,
        tool_calls=None,
        refusal=None,
        parsed=None,
        served_by=None,
        metadata={},
        messages=None,
    )


def _failure(  # noqa: PLR0913 - the optional parts of a failure
    request: Request,
    error: ResultError,
    at: str,
    *,
    attempts: int,
    timings: Timings,
    finish_reason: str | None = None,
    partial_text: str | None = None,
    usage: Usage | None = None,
    cost: float | None = None,
    messages: list[JSONObject] | None = None,
    redacted: bool = False,
) -> Result:
    return Result(
        schema_version=SCHEMA_VERSION,
        id=request.id,
        fingerprint=request.fingerprint,
        status="failed",
        text=None,
        verdict=None,
        finish_reason=finish_reason,
        error=error,
        partial_text=partial_text,
        reasoning=None,
        tool_calls=None,
        refusal=None,
        parsed=None,
        model=request.model,
        served_by=None,
        usage=usage,
        cost=cost,
        attempts=attempts,
        timings=timings,
        completed_at=at,
        metadata=request.metadata,
        messages=messages,
        target=request.target,
        redacted=redacted,
    )


def _timings(outcome: Outcome, queued: float) -> Timings:
    """Return seconds rounded to four digits. ``round`` uses decimal digits, at ten times the cost."""
    first = outcome.first_byte
    return Timings(
        queued=int(queued * 10_000 + 0.5) / 10_000,
        first_byte=None if first is None else int(first * 10_000 + 0.5) / 10_000,
        total=int(outcome.total * 10_000 + 0.5) / 10_000,
    )


def _runs(task: Task, before: Known | None) -> int:
    """Return the number of runs; earlier runs count if the request is the same."""
    return before.runs if before is not None and before.fingerprint == task.request.fingerprint else 0
