"""From the last outcome of a request to its result line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.records import SCHEMA_VERSION, Result, ResultError, Timings

if TYPE_CHECKING:
    from batch.policy.retry import Fail
    from batch.policy.work import Work
    from batch.records import Failure, Known, Outcome, Reply

MAX_RUNS = 3
"""Runs in which a request may fail transiently before that counts as permanent."""

_BLANK: dict[str, Any] = dict.fromkeys(
    (
        "text",
        "verdict",
        "finish_reason",
        "error",
        "partial_text",
        "reasoning",
        "tool_calls",
        "refusal",
        "parsed",
        "served_by",
        "cost",
    )
)


def succeeded(work: Work, reply: Reply, *, queued: float, at: str, keep_reasoning: bool = True) -> Result:
    """The line of a request that has its reply. ``at`` is UTC, ISO 8601; ``queued`` seconds."""
    return _result(
        work,
        reply,
        queued,
        at,
        status="succeeded",
        text=reply.text,
        verdict=reply.verdict,
        finish_reason=reply.finish_reason,
        reasoning=reply.reasoning if keep_reasoning else None,
        tool_calls=reply.tool_calls,
        refusal=reply.refusal,
        served_by=reply.served_by,
    )


def failed(
    work: Work, failure: Failure, decision: Fail, *, before: Known | None, queued: float, at: str
) -> Result:
    """The line of a request that was given up. ``before`` is what an earlier run left of it."""
    runs = _runs(work, before) + 1
    error = ResultError(
        code=decision.code,
        message=failure.message,
        http_status=failure.http_status,
        retryable=decision.retryable and runs < MAX_RUNS,
        runs=runs,
        history=work.history,
    )
    return _result(work, failure, queued, at, status="failed", error=error, partial_text=work.partial_text)


def _result(work: Work, outcome: Outcome, queued: float, at: str, **fields: Any) -> Result:
    """The line with what every line has; of the rest, what is not given is ``null``."""
    request = work.request
    first_byte = None if outcome.first_byte is None else round(outcome.first_byte, 4)
    fields = _BLANK | fields
    return Result(
        schema_version=SCHEMA_VERSION,
        id=request.id,
        fingerprint=request.fingerprint,
        model=request.model,
        usage=outcome.usage,
        attempts=work.attempts,
        timings=Timings(queued=round(queued, 4), first_byte=first_byte, total=round(outcome.total, 4)),
        completed_at=at,
        metadata=request.metadata,
        **fields,
    )


def _runs(work: Work, before: Known | None) -> int:
    """Earlier runs count as long as the request is the same."""
    return before.runs if before is not None and before.fingerprint == work.request.fingerprint else 0
