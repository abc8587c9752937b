"""What the events of a reply have said so far, and the reply that it amounts to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.records import Failure, Outcome, Reply, Usage, Verdict
from batch.wire.chunks import plausible
from batch.wire.text import condense, join, split_thinking
from batch.wire.tool_calls import ToolCalls

if TYPE_CHECKING:
    from batch.wire.chunks import Choice, Chunk, Delta


class Message:
    """Collects text, reasoning, refusals, tool calls and usage, chunk by chunk, up to the finish reason.

    ``deltas`` counts what the model has said: comments, pings and roles leave it alone. ``model`` is the name
    that the server gives itself.
    """

    __slots__ = ("_calls", "_reasoning", "_refusal", "_usage", "deltas", "finish_reason", "model", "text")

    def __init__(self) -> None:
        self.deltas = 0
        self.text: list[str] = []
        self.finish_reason: str | None = None
        self.model: str | None = None
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: ToolCalls | None = None
        self._usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Take in one chunk that is no error."""
        if chunk.usage is not None:
            self._usage = plausible(chunk.usage)
        if self.model is None and chunk.model:
            self.model = chunk.model
        for choice in chunk.choices or ():
            if not choice.index and self.finish_reason is None:
                self._choice(choice)
        if chunk.finish_reason:
            self.finish_reason = self.finish_reason or chunk.finish_reason

    def add_texts(self, texts: list[str]) -> None:
        """Take in chunks that are pieces of the text and nothing else; an empty one says nothing."""
        said = list(filter(None, texts))
        self.text += said
        self.deltas += len(said)

    def condense(self) -> None:
        """Hold what was said in less memory. ``text`` has other parts after that, but says the same."""
        condense(self.text)
        condense(self._reasoning)

    def reply(self) -> Outcome:
        """The outcome of a message that is complete, as far as the server says."""
        text, thinking = split_thinking(join(self.text))
        refusal = join(self._refusal) if self._refusal else None
        calls = None if self._calls is None else self._calls.joined()
        if self.finish_reason == "content_filter":
            return self.failure("filtered", "the server's content filter stopped the answer", finished=True)
        if not (text or calls or refusal) and self.finish_reason != "length":
            return self.failure("empty", "the server finished without having said anything", finished=True)
        return Reply(
            text=text,
            verdict=self._verdict(),
            finish_reason=self.finish_reason,
            reasoning=self._reasoned(thinking),
            tool_calls=calls or None,
            refusal=refusal or None,
            usage=self._usage,
            served_by=self.model,
        )

    def failure(
        self, code: str, message: str, *, finished: bool, should_retry: bool | None = None
    ) -> Failure:
        """The outcome of one that came to nothing, with the text and the usage that came all the same."""
        return Failure(
            code=code,
            message=message,
            should_retry=should_retry,
            finished=finished,
            partial_text=join(self.text) or None,
            usage=self._usage,
        )

    def _reasoned(self, thinking: str | None) -> str | None:
        """The reasoning that came in a field of its own, and then what stood before the text."""
        if not self._reasoning:
            return thinking or None
        return "\n".join(filter(None, [join(self._reasoning), thinking])) or None

    def _verdict(self) -> Verdict:
        if self.finish_reason is None:
            return Verdict.UNVERIFIED
        return Verdict.LENGTH if self.finish_reason == "length" else Verdict.COMPLETE

    def _choice(self, choice: Choice) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            if delta.content:
                self.text.append(delta.content)
                self.deltas += 1
            if delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
                self._more_than_text(delta)
        self.finish_reason = choice.finish_reason or None

    def _more_than_text(self, delta: Delta) -> None:
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning:
            self._reasoning.append(reasoning)
            self.deltas += 1
        if delta.refusal:
            self._refusal.append(delta.refusal)
            self.deltas += 1
        if delta.tool_calls:
            self._tool_calls(delta.tool_calls)

    def _tool_calls(self, calls: list[Any]) -> None:
        self._calls = self._calls or ToolCalls()
        for place, call in enumerate(calls):
            if isinstance(call, dict):
                self._calls.feed(call, place if len(calls) > 1 else None)
                self.deltas += 1
