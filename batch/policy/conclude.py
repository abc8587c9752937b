"""From the last outcome of a request to its result line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.records import SCHEMA_VERSION, Result, ResultError, Timings

if TYPE_CHECKING:
    from batch.policy.retry import Fail
    from batch.policy.work import Work
    from batch.records import Failure, JSONObject, Known, Outcome, Reply, Request, Usage

MAX_RUNS = 3
"""Runs in which a request may fail transiently before that counts as permanent."""


class Keep(Struct, frozen=True):
    """What a line holds besides the answer: the model's reasoning, the messages that were sent."""

    reasoning: bool = True
    messages: bool = False


KEEP = Keep()
"""What a job keeps that says nothing of it."""


def succeeded(work: Work, reply: Reply, keep: Keep, *, queued: float, at: str) -> Result:
    """The line of a request that has its reply. ``at`` is UTC, ISO 8601; ``queued`` seconds."""
    request = work.request
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
        cost=work.cost,
        attempts=work.attempts,
        timings=_timings(reply, queued),
        completed_at=at,
        metadata=request.metadata,
        messages=list(request.messages) if keep.messages else None,
        redacted=reply.redacted,
    )


def failed(
    work: Work, failure: Failure, decision: Fail, keep: Keep, *, before: Known | None, queued: float, at: str
) -> Result:
    """The line of a request that was given up. ``before`` is what an earlier run left of it."""
    request = work.request
    runs = _runs(work, before) + 1
    error = ResultError(
        code=decision.code,
        message=failure.message,
        http_status=failure.http_status,
        retryable=decision.retryable and runs < MAX_RUNS,
        runs=runs,
        history=work.history,
    )
    return _failure(
        request,
        error,
        at,
        partial_text=work.partial_text,
        usage=failure.usage,
        cost=work.cost,
        attempts=work.attempts,
        timings=_timings(failure, queued),
        messages=list(request.messages) if keep.messages else None,
        redacted=work.redacted or failure.redacted,
    )


def refused(request: Request, why: str, at: str) -> Result:
    """The line of a request that is not sent, since its row is bad."""
    error = ResultError("bad_row", why, None, retryable=False, runs=1, history=[])
    return _failure(request, error, at, attempts=0, timings=Timings(None, None, None))


def _failure(  # noqa: PLR0913 - what a failure may leave behind
    request: Request,
    error: ResultError,
    at: str,
    *,
    attempts: int,
    timings: Timings,
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
        finish_reason=None,
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
        redacted=redacted,
    )


def _timings(outcome: Outcome, queued: float) -> Timings:
    first_byte = None if outcome.first_byte is None else round(outcome.first_byte, 4)
    return Timings(queued=round(queued, 4), first_byte=first_byte, total=round(outcome.total, 4))


def _runs(work: Work, before: Known | None) -> int:
    """Earlier runs count as long as the request is the same."""
    return before.runs if before is not None and before.fingerprint == work.request.fingerprint else 0
