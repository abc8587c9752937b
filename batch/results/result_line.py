"""From the last outcome of a request to its result line.

Writing results so that one which has no form in JSON costs no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct
from msgspec.structs import replace

from batch.errors import UnencodableError
from batch.failure_codes import BAD_ROW, INPUT_CHANGED, UNENCODABLE
from batch.records import SCHEMA_VERSION, Result, ResultError, Timings
from batch.scheduling.attempt_cost import cost_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.protocols import Sink
    from batch.records import Failure, JSONObject, Known, Outcome, Reply, Request, Usage
    from batch.scheduling.retry import Fail
    from batch.scheduling.task import Task

MAX_RUNS = 3
"""Runs in which a request may fail transiently before that counts as permanent."""


class Keep(Struct, frozen=True):
    """What a line holds besides the answer: the model's reasoning, the messages that were sent."""

    reasoning: bool = True
    messages: bool = False


KEEP = Keep()
"""What a job keeps that says nothing of it."""


def succeeded(task: Task, reply: Reply, keep: Keep, *, at: str) -> Result:
    """The line of a request that has its reply. ``at`` is UTC, ISO 8601."""
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
    """The line of a request that was given up. ``before`` is what an earlier run left of it."""
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
    """The line with all of an answer whose finish reason is not known: it may turn out to be whole."""
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
    """The line of a request that is not sent, since its row is bad."""
    error = ResultError(BAD_ROW, why, None, retryable=False, runs=1, history=[])
    return _failure(request, error, at, attempts=0, timings=Timings(None, None, None))


def unreadable(request: Request, why: str, at: str) -> Result:
    """The line of a request that is not sent, since its document or row has gone bad after it was checked."""
    error = ResultError(INPUT_CHANGED, why, None, retryable=True, runs=1, history=[])
    return _failure(request, error, at, attempts=0, timings=Timings(None, None, None))


def encodable(results: Sequence[Result], why: Mapping[int, str]) -> list[Result]:
    """The results, those at the positions of ``why`` as failures that hold only texts and numbers.

    Their metadata and messages are left out, since these may be what has no form in JSON.
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


def _failure(  # noqa: PLR0913 - what a failure may leave behind
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
    """Seconds to four digits. ``round`` would go over decimal digits, at ten times the cost."""
    first = outcome.first_byte
    return Timings(
        queued=int(queued * 10_000 + 0.5) / 10_000,
        first_byte=None if first is None else int(first * 10_000 + 0.5) / 10_000,
        total=int(outcome.total * 10_000 + 0.5) / 10_000,
    )


def _runs(task: Task, before: Known | None) -> int:
    """Earlier runs count as long as the request is the same."""
    return before.runs if before is not None and before.fingerprint == task.request.fingerprint else 0


async def stored(sink: Sink, results: Sequence[Result]) -> Sequence[Result]:
    """Write the results, and return them as they were written: what has no form in JSON is a failure.

    Raises ``OutputWriteError``.
    """
    try:
        await sink.write(results)
    except UnencodableError as error:
        results = encodable(results, error.why)
        await sink.write(results)
    return results
