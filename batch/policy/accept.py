"""Whether a whole answer is what the job wants; if not, what is asked in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from batch.policy.retry import INVALID_OUTPUT, LENGTH
from batch.records import Failure, Verdict
from batch.structure import Invalid, parsed

if TYPE_CHECKING:
    from batch.policy.work import Work
    from batch.records import Outcome, Reply, Request

OnLength: TypeAlias = Literal["accept", "retry", "fail"]

_LIMITS = ("max_tokens", "max_completion_tokens")


class Acceptance(Struct, frozen=True):
    """A job's demands on answers. ``max_attempts`` are those that a request has in all."""

    on_length: OnLength = "accept"
    max_attempts: int = 8

    def judge(self, work: Work, reply: Reply) -> Outcome:
        """The reply as it is to be settled, its value parsed; or the failure that it amounts to.

        Then ``work.revised`` is what the next attempt sends.
        """
        if reply.verdict is Verdict.LENGTH and self.on_length != "accept":
            if self.on_length == "fail":
                return _failure(reply, LENGTH, "cut off at its limit of tokens", should_retry=False)
            larger = _with_more_tokens(work.to_send)
            if larger is not None and LENGTH not in work.failures and self._has_attempts(work):
                work.revised = larger
                return _failure(reply, LENGTH, "cut off at its limit of tokens", should_retry=True)
        response_format = work.request.params.get("response_format")
        if response_format is None or reply.refusal or reply.tool_calls:
            return reply
        try:
            value = parsed(reply.text, response_format)
        except Invalid as error:
            if reply.verdict is Verdict.LENGTH:
                what = "cut off at its limit of tokens, so that it is not whole JSON"
                return _failure(reply, LENGTH, what, should_retry=False)
            work.revised = _corrected(work, reply, str(error))
            return _failure(reply, INVALID_OUTPUT, str(error))
        return reply if value is None else replace(reply, parsed=value)

    def _has_attempts(self, work: Work) -> bool:
        return len(work.failures) + 1 < self.max_attempts


ANYTHING = Acceptance()
"""The demands of a job that says nothing of them; a request may still bring a response format."""


def _failure(reply: Reply, code: str, message: str, *, should_retry: bool | None = None) -> Failure:
    return Failure(
        code,
        message,
        should_retry=should_retry,
        finished=True,
        partial_text=reply.text,
        usage=reply.usage,
        first_byte=reply.total if reply.first_byte is None else reply.first_byte,
        total=reply.total,
        rate=reply.rate,
        redacted=reply.redacted,
        lost=reply.lost,
    )


def _with_more_tokens(request: Request) -> Request | None:
    """The request with twice its limit of tokens; ``None`` where it has none of its own."""
    limits = {name: limit for name in _LIMITS if isinstance(limit := request.params.get(name), int)}
    if not limits:
        return None
    return replace(request, params={**request.params, **{name: 2 * limit for name, limit in limits.items()}})


def _corrected(work: Work, reply: Reply, complaint: str) -> Request:
    """The question once more, with the wrong answer and what is wrong with it; earlier ones are left out."""
    said = {"role": "assistant", "content": reply.text}
    wish = {"role": "user", "content": f"{_WISH}\n\n{complaint}"}
    return replace(work.to_send, messages=(*work.request.messages, said, wish))


_WISH = (
    "That answer is not in the form that was asked for. Give it again, as JSON only. What is wrong with it:"
)
