"""Builds a reply from the chunks of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batch.failure_codes import EMPTY_LENGTH, UNKNOWN_FINISH
from batch.finish_reasons import FAILED_ENDINGS, Ending
from batch.records import Failure, Outcome, Reply, Usage, Verdict
from batch.wire.chat_chunk import PossibleError, WrongTypeError, examined, may_contain_error
from batch.wire.logprobs import Logprobs
from batch.wire.text import condense, join, split_thinking
from batch.wire.tool_calls import ToolCalls
from batch.wire.usage import UsageReports
from batch.wire.whole_message import WholeMessages

if TYPE_CHECKING:
    from batch.records import JSONObject
    from batch.wire.chat_chunk import Choice, Chunk, Delta, Odd
    from batch.wire.finish_state import FinishState

# A name of a module is looked up several times faster than a member of an enumeration.
_COMPLETE, _UNKNOWN, _COMPLETE_VERDICT = Ending.COMPLETE, Ending.UNKNOWN, Verdict.COMPLETE


class ReportedError(Exception):
    """The server reports an error inside its answer; ``error`` is the reported value."""

    def __init__(self, error: object) -> None:
        super().__init__()
        self.error = error


class ReplyBuilder(Struct, eq=False):
    """Collects text, reasoning, refusals, tool calls and usage, chunk by chunk.

    ``deltas`` counts pieces of model output; comments, pings and roles do not count. ``model`` is the model
    name in the response, ``finish`` the state of the ending. ``possible_error`` is an error that the server
    reported in addition to an answer; it is the outcome only if no finish reason arrives.
    """

    finish: FinishState
    text: list[str] = []
    deltas: int = 0
    model: str | None = None
    possible_error: Any = None
    _has_reason: bool = False
    _reasoning: list[str] = []
    _refusal: list[str] = []
    _calls: ToolCalls | None = None
    _logprobs: Logprobs | None = None
    _usage: UsageReports | None = None
    _wholes: WholeMessages | None = None

    def add(self, chunk: Chunk, inside: bytes) -> None:  # noqa: C901 - the hot path, in one piece
        """Add one chunk. Raises ``ReportedError`` and ``WrongTypeError``.

        ``inside`` is its JSON without the braces. If the chunk has no output, ``inside`` is searched for an
        error.
        """
        if chunk.usage is not None:
            self._report(chunk, inside)
        if self.model is None and chunk.model:
            self.model = chunk.model
        before, choices, reason = self.deltas, chunk.choices, chunk.finish_reason
        if choices:
            choice = choices[0] if len(choices) == 1 else _ours(choices)
            if not choice.index:
                delta = choice.delta
                if delta is not None:  # inline: a call for each event would cost much of its decoding
                    if delta.content:
                        self.text.append(delta.content)
                        self.deltas += 1
                    if delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
                        self._more_than_text(delta)
                if choice.message is not None or choice.odd is not None:
                    self._rare_fields(choice)
                if choice.finish_reason:
                    reason = choice.finish_reason
        if self.deltas == before and (not choices or may_contain_error(inside)):
            self._without_output(chunk, inside)
        if chunk.error:
            self._reported(chunk.error)
        if reason or self._has_reason:
            self._ending(reason, has_words=self.deltas != before)

    def add_all(self, chunks: list[Chunk], insides: list[bytes]) -> None:
        """Add several chunks as ``add`` does; chunks of text alone need no call for each."""
        if self.model is None:
            self.model = chunks[0].model or next((each.model for each in chunks if each.model), None)
        text, before, has_reason = self.text, len(self.text), self._has_reason
        for place, chunk in enumerate(chunks):
            choices = chunk.choices
            if choices and chunk.usage is None and chunk.error is None and chunk.finish_reason is None:
                choice = choices[0]
                delta = choice.delta
                if (
                    delta is not None
                    and (content := delta.content)
                    and not (delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls)
                    and not choice.index
                    and choice.message is None
                    and choice.odd is None
                    and choice.finish_reason is None
                    and len(choices) == 1
                    and not has_reason
                ):
                    text.append(content)
                    continue
            self.deltas += len(text) - before
            self.add(chunk, insides[place])
            before, has_reason = len(text), self._has_reason
        self.deltas += len(text) - before

    def add_texts(self, texts: list[str], model: str | None) -> None:
        """Add chunks that contain only these texts, of which none is empty, and the name of the model."""
        self.model = self.model or model
        self.text += texts
        self.deltas += len(texts)

    def condense(self) -> None:
        """Reduce the memory of the collected parts. ``text`` then has other parts but joins to the same."""
        condense(self.text)
        condense(self._reasoning)

    def reply(self) -> Outcome:
        """Return the outcome of a message that the server has ended."""
        ending, word = self.finish.ending, self.finish.word
        if ending in FAILED_ENDINGS:
            return self._failed(ending, word)
        try:
            raw_text, reasoning, refusal, calls = self._settled()
        except WrongTypeError as error:
            return self.failure("bad_event", f"the response cannot be read: {error}", finished=True)
        text, thinking = split_thinking(raw_text)
        if not (text or calls or refusal):
            if ending is Ending.LENGTH:
                return self._ended(EMPTY_LENGTH, "the token limit was reached before the answer began")
            return self._ended("empty", "the server finished without any output")
        reports = self._usage
        reply = Reply(
            text=text,
            verdict=_COMPLETE_VERDICT if ending is _COMPLETE else self._verdict(),
            finish_reason=word,
            reasoning=f"{reasoning}\n{thinking}" if reasoning and thinking else reasoning or thinking or None,
            tool_calls=calls or None,
            refusal=refusal or None,
            usage=None if reports is None else reports.usage(has_words=True),
            cost=None if reports is None else reports.cost,
            served_by=self.model,
            logprobs=None if self._logprobs is None else self._logprobs.joined(),
        )
        return self._unknown(reply) if ending is _UNKNOWN else reply

    def _settled(self) -> tuple[str, str, str, list[JSONObject]]:
        """Return text, reasoning, refusal and tool calls. Raises ``WrongTypeError`` if parts contradict."""
        wholes = self._wholes
        if wholes is None:
            reasoning = join(self._reasoning) if self._reasoning else ""
            refusal = join(self._refusal) if self._refusal else ""
            return join(self.text), reasoning, refusal, [] if self._calls is None else self._calls.joined()
        fields = {"text": self.text, "reasoning": self._reasoning, "refusal": self._refusal}
        text, reasoning, refusal = (wholes.settled(name, parts) for name, parts in fields.items())
        return text, reasoning, refusal, wholes.settled_calls(self._calls or ToolCalls())

    def failure(
        self, code: str, message: str, *, finished: bool, should_retry: bool | None = None
    ) -> Failure:
        """Return the failure of an incomplete answer, with the text and the usage that have arrived."""
        return Failure(
            code=code,
            message=message,
            should_retry=should_retry,
            finished=finished,
            partial_text=join(self.text) or None,
            usage=self._usage_so_far(has_words=self.deltas > 0),
            cost=None if self._usage is None else self._usage.cost,
            finish_reason=self.finish.word,
        )

    def _ended(self, code: str, message: str, **more: Any) -> Failure:
        """Return the failure of an answer that has ended."""
        return Failure(
            code=code,
            message=message,
            finished=True,
            partial_text=join(self.text) or None,
            usage=self._usage_so_far(has_words=self.deltas > 0),
            cost=None if self._usage is None else self._usage.cost,
            server_code=(self.finish.word or "") if code != "empty" else "",
            finish_reason=self.finish.word,
            **more,
        )

    def _failed(self, ending: Ending | None, word: str | None) -> Failure:
        if ending is Ending.FILTERED:
            return self._ended("filtered", f"the server's content filter stopped the answer ({word!r})")
        return self._ended("broken_off", f"the answer broke off: finish reason {word!r}")

    def _unknown(self, reply: Reply) -> Failure:
        word = str(reply.finish_reason)
        hint = f"add {word!r} to `finish_reasons` in the job file if it means that an answer is complete"
        return self._ended(UNKNOWN_FINISH, f"unknown finish reason {word!r}; {hint}", answer=reply)

    def _verdict(self) -> Verdict:
        if self.finish.ending is None:
            return Verdict.UNVERIFIED
        return Verdict.LENGTH if self.finish.ending is Ending.LENGTH else Verdict.COMPLETE

    def _report(self, chunk: Chunk, inside: bytes) -> None:
        """Add a usage report. It may contain an error."""
        usage = chunk.usage or {}
        self._usage = self._usage or UsageReports()
        self._usage.add(usage)
        if inside and not chunk.error and usage.get("error"):
            examined(chunk, b"{%b}" % inside)

    def _usage_so_far(self, *, has_words: bool) -> Usage | None:
        return None if self._usage is None else self._usage.usage(has_words=has_words)

    def _without_output(self, chunk: Chunk, inside: bytes) -> None:
        """Examine an event without output: it may contain an error."""
        if inside and not (chunk.choices and chunk.error):
            examined(chunk, b"{%b}" % inside)

    def _reported(self, error: Any) -> None:
        if not isinstance(error, PossibleError):
            raise ReportedError(error)
        self.possible_error = error.error

    def _ending(self, reason: str | None, *, has_words: bool) -> None:
        if has_words:
            self.finish.words()
        if reason:
            self.finish.reason(reason, with_words=has_words)
            self._has_reason = self.finish.word is not None

    def _rare_fields(self, choice: Choice) -> None:
        if choice.message is not None:
            self._whole(choice.message)
        if choice.odd is not None:
            self._odd(choice.odd, choice.delta)

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

    def _odd(self, odd: Odd, delta: Delta | None) -> None:
        if odd.text and not (delta is not None and delta.content):
            self.text.append(odd.text)
            self.deltas += 1
        if odd.logprobs:
            self._logprobs = self._logprobs or Logprobs()
            self._logprobs.feed(odd.logprobs)

    def _whole(self, message: Delta) -> None:
        """Add a whole message, except what the deltas have already brought."""
        self._wholes = self._wholes or WholeMessages()
        reasoning = message.reasoning_content or message.reasoning
        fields = (
            ("text", self.text, message.content),
            ("reasoning", self._reasoning, reasoning),
            ("refusal", self._refusal, message.refusal),
        )
        for name, parts, words in fields:
            if words and self._wholes.take(name, parts, words):
                self.deltas += 1
        if message.tool_calls and self._wholes.take_calls(message.tool_calls, self._calls or ToolCalls()):
            self.deltas += 1

    def _tool_calls(self, calls: list[Any]) -> None:
        self._calls = self._calls or ToolCalls()
        for place, call in enumerate(calls):
            if self._calls.feed(call, place if len(calls) > 1 else None):
                self.deltas += 1


def _ours(choices: list[Choice]) -> Choice:
    """Return the choice with index 0. A choice without an index has the index of its position.

    Raises ``WrongTypeError`` if two choices with content have the index 0.
    """
    ours = [
        choice
        for place, choice in enumerate(choices)
        if not (choice.index or (choice.index is None and place))
    ]
    speaking = [
        choice for choice in ours if choice.delta or choice.message or choice.odd or choice.finish_reason
    ]
    if len(speaking) > 1:
        raise WrongTypeError("two choices have the index 0")
    return next(iter(speaking or ours), choices[0])
