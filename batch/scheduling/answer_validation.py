"""Validation of a complete answer against the job's requirements, and the request for a better one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from batch.checking.cost import is_cheap
from batch.failure_codes import EMPTY_LENGTH, INVALID_OUTPUT, LENGTH
from batch.records import Failure, Verdict
from batch.structured_output import Invalid, decoded, demand_of

if TYPE_CHECKING:
    from batch.checking.messages import CheckResult
    from batch.records import JSONObject, Outcome, Reply, Request
    from batch.scheduling.task import Task

OnLength: TypeAlias = Literal["accept", "retry", "fail"]

_LIMITS = ("max_tokens", "max_completion_tokens")


class Unchecked(Struct, frozen=True):
    """A reply whose text a ``checking.Checker`` has to check by ``response_format``, which may take long."""

    reply: Reply
    response_format: JSONObject


class Acceptance(Struct, frozen=True):
    """A job's requirements on answers. ``max_attempts`` limits the attempts of a request."""

    on_length: OnLength = "accept"
    max_attempts: int = 8

    def judge(self, task: Task, outcome: Outcome) -> Outcome | Unchecked:
        """Return the reply with its parsed value, or the failure that replaces it.

        With a failure, ``task.to_send`` is set to what the next attempt sends. ``Unchecked`` is to be checked
        by a ``checking.Checker`` and then passed to ``conclude``. Only one kind of failure is changed: if the
        token limit was reached before the answer began, ``on_length: retry`` sends the request once more.
        """
        if isinstance(outcome, Failure):
            return self._judge_failure(task, outcome)
        reply = outcome
        if reply.verdict is Verdict.LENGTH and self.on_length != "accept":
            if self.on_length == "fail":
                return _failure(reply, LENGTH, "cut off at the token limit", should_retry=False)
            if self._asks_for_more(task):
                return _failure(reply, LENGTH, "cut off at the token limit", should_retry=True)
        response_format = task.request.params.get("response_format")
        if response_format is None or reply.refusal or reply.tool_calls:
            return reply
        return _judged_by(response_format, task, reply)

    def conclude(self, task: Task, reply: Reply, checked: CheckResult) -> Outcome:
        """Return what ``judge`` returns, for a reply that has been checked."""
        if not checked.is_judged:
            return uncheckable(reply, f"checking the answer {checked.problem}")
        if checked.problem:
            return _invalid(task, reply, checked.problem)
        return replace(reply, parsed=decoded(reply.text))

    def _judge_failure(self, task: Task, failure: Failure) -> Failure:
        if failure.code == EMPTY_LENGTH and self.on_length == "retry" and self._asks_for_more(task):
            return replace(failure, should_retry=True)
        return failure

    def _asks_for_more(self, task: Task) -> bool:
        """Revise the request once to a larger token limit; return whether that is possible."""
        larger = _with_more_tokens(task.to_send)
        if larger is None or not {LENGTH, EMPTY_LENGTH}.isdisjoint(task.failures):
            return False
        if not self._has_attempts(task):
            return False
        task.to_send = larger
        return True

    def _has_attempts(self, task: Task) -> bool:
        return len(task.failures) + 1 < self.max_attempts


ANYTHING = Acceptance()
"""The requirements of a job that defines none; a request may still have a response format."""


def uncheckable(reply: Reply, why: str) -> Failure:
    """Return the failure of a request whose answer could not be checked; a retry could cost as much again."""
    return _failure(reply, INVALID_OUTPUT, why, should_retry=False)


def _judged_by(response_format: JSONObject, task: Task, reply: Reply) -> Outcome | Unchecked:
    demand = demand_of(response_format)
    if demand is None:
        return reply
    if not is_cheap(demand, reply.text):
        return Unchecked(reply, response_format)
    try:
        return replace(reply, parsed=demand.value_of(reply.text))
    except Invalid as error:
        return _invalid(task, reply, str(error))


def _invalid(task: Task, reply: Reply, problem: str) -> Failure:
    if reply.verdict is Verdict.LENGTH:
        what = "cut off at the token limit, so the JSON is incomplete"
        return _failure(reply, LENGTH, what, should_retry=False)
    task.to_send = _corrected(task, reply, problem)
    return _failure(reply, INVALID_OUTPUT, problem)


def _failure(reply: Reply, code: str, message: str, *, should_retry: bool | None = None) -> Failure:
    return Failure(
        code,
        message,
        should_retry=should_retry,
        finished=True,
        partial_text=reply.text,
        usage=reply.usage,
        cost=reply.cost,
        first_byte=reply.total if reply.first_byte is None else reply.first_byte,
        total=reply.total,
        rate=reply.rate,
        redacted=reply.redacted,
        lost=reply.lost,
    )


def _with_more_tokens(request: Request) -> Request | None:
    """Return the request with twice its token limit; ``None`` if it has no limit of its own."""
    limits = {name: limit for name in _LIMITS if isinstance(limit := request.params.get(name), int)}
    if not limits:
        return None
    return replace(request, params={**request.params, **{name: 2 * limit for name, limit in limits.items()}})


def _corrected(task: Task, reply: Reply, problem: str) -> Request:
    """Return the request with the invalid answer and its errors appended; earlier ones are omitted."""
    answer = {"role": "assistant", "content": reply.text}
    correction = {"role": "user", "content": f"{_CORRECTION}\n\n{problem}"}
    return replace(task.to_send, messages=(*task.request.messages, answer, correction))


_CORRECTION = (
    "That answer is not in the form that was asked for. Give it again, as JSON only. What is wrong with it:"
)
