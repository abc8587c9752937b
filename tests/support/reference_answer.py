"""What the chunks of an answer amount to: the second part of the reference decoder.

``Answer.take`` receives each chunk, in order; ``Answer.verdict`` gives the result. The readings of what the
specification leaves open are listed in ``reference_stream``.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.reference_calls import Call, Calls
from tests.support.reference_reasons import COMPLETE, LENGTH, class_of_failure, is_unknown, reason_of


class NoAnswerError(ValueError):
    """The body is not an answer; the text gives the reason."""


@dataclass(frozen=True)
class Expected:
    """The correct verdicts (none without an answer), and the contents of a correct answer."""

    verdicts: frozenset[str]
    text: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    why: str = ""


@dataclass
class Said:
    """The output of one source: the deltas, or one whole message."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)
    reasoned: bool = False

    def size(self) -> tuple[int, int, int, bool]:
        """A value that changes with any output."""
        return len(self.text), len(self.refusal), self.calls.pieces, self.reasoned


class Answer:
    """An answer as it comes. ``done`` is set by ``[DONE]``; ``is_whole`` means one JSON object, no stream."""

    def __init__(self, *, is_whole: bool = False) -> None:
        self.done = False
        self.ended_inside_event = False
        self.deltas = Said()
        self.messages: list[Said] = []
        self.reasons: list[str] = []
        self.unknown: list[str] = []
        self.is_provisional = False
        self.is_whole = is_whole

    def take(self, chunk: Any) -> None:
        """Read one chunk."""
        if isinstance(chunk, list) and chunk:
            raise NoAnswerError("a list in place of an event")
        if not isinstance(chunk, dict):
            return
        self._raise_errors(chunk)
        choices = _typed(chunk.get("choices"), list, "choices") or []
        mine = [choice for place, choice in enumerate(choices) if _is_mine(choice, place)]
        if self.is_whole and len(mine) > 1:
            raise NoAnswerError("two choices for index 0")
        said = [self._choice(choice) for choice in mine]
        reasons = [reason_of(holder.get("finish_reason")) for holder in [*mine, chunk]]
        found = [reason for reason in reasons if reason]
        if found:
            self.is_provisional = any(said)
        elif any(said) and (self.reasons or self.unknown):
            self.is_provisional = True
        for reason in found:
            (self.unknown if is_unknown(reason) else self.reasons).append(reason)

    def verdict(self, *, confirmed: bool) -> Expected:
        """The result, once the body has ended. ``confirmed``: that end was marked."""
        for reason in self.reasons or self.unknown:
            if reason not in COMPLETE and reason not in LENGTH:
                raise NoAnswerError(class_of_failure(reason))
        is_ended = self.done or self.is_whole
        if not (self.reasons or self.unknown) and not is_ended:
            raise NoAnswerError("cut")
        if self.is_provisional and not is_ended and (not confirmed or self.ended_inside_event):
            raise NoAnswerError("cut after a provisional finish reason")
        text = without_thinking(
            self._one_of([_joined(said.text) for said in self.messages], _joined(self.deltas.text))
        )
        refusal = self._one_of(
            [_joined(said.refusal) for said in self.messages], _joined(self.deltas.refusal)
        )
        calls = self._calls()
        if not (text or refusal or calls):
            raise NoAnswerError("nothing said")
        verdicts = {"length" if reason in LENGTH else "complete" for reason in self.reasons} or {"unverified"}
        return Expected(frozenset(verdicts), text, refusal, calls)

    def _raise_errors(self, chunk: dict[str, Any]) -> None:
        if chunk.get("object") == "error" or _holds_error(chunk) or any(map(_holds_error, chunk.values())):
            raise NoAnswerError("an error object")
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and any(
                map(_holds_error, (choice, choice.get("delta"), choice.get("message")))
            ):
                raise NoAnswerError("an error in a choice")
        if choices:
            return
        words = ("errors", "detail", "message", "msg") if self.is_whole else ("errors",)
        if any(chunk.get(word) for word in words) or _has_error_status(chunk):
            raise NoAnswerError("an error without choices")

    def _choice(self, choice: dict[str, Any]) -> bool:
        """Read one choice; return whether it has model output."""
        delta = _typed(choice.get("delta"), dict, "delta") or {}
        message = _typed(choice.get("message"), dict, "message") or {}
        before = self.deltas.size()
        _say(delta, self.deltas)
        if not _content(delta.get("content"))[0]:
            text = _typed(choice.get("text"), str, "text")
            self.deltas.text += [text] if text else []
        has_said = before != self.deltas.size()
        return self._message(message) or has_said if message else has_said

    def _message(self, message: dict[str, Any]) -> bool:
        """Read a whole message; return whether it adds anything."""
        said = Said()
        nothing = said.size()
        _say(message, said)
        if said.size() == nothing:
            return False
        known = [self.deltas, *self.messages[-1:]]
        self.messages.append(said)
        texts = {_joined(each.text) for each in known}
        return (
            _joined(said.text) not in {"", *texts, *map(without_thinking, texts)}
            or _joined(said.refusal) not in {"", *(_joined(each.refusal) for each in known)}
            or said.calls.joined() not in ((), *(each.calls.joined() for each in known))
            or said.reasoned > any(each.reasoned for each in known)
        )

    def _one_of(self, messages: list[str], deltas: str) -> str:
        """Return the text on which deltas and whole messages agree."""
        spoken = [deltas if each == without_thinking(deltas) else each for each in messages if each]
        if not spoken:
            return deltas
        if any(not later.startswith(earlier) for earlier, later in itertools.pairwise(spoken)):
            raise NoAnswerError("whole messages that contradict each other")
        if not spoken[-1].startswith(deltas):
            raise NoAnswerError("a whole message that contradicts the deltas")
        return spoken[-1]

    def _calls(self) -> tuple[Call, ...]:
        deltas = self.deltas.calls.joined()
        for message in self.messages:
            calls = message.calls.joined()
            if calls and deltas and calls != deltas:
                raise NoAnswerError("a whole message whose tool calls contradict the deltas")
            deltas = deltas or calls
        if any(call.arguments and not call.name for call in deltas):
            raise NoAnswerError("arguments for a function without a name")
        return deltas


def without_thinking(text: str) -> str:
    """The text without the reasoning that stands before it in ``<think>`` tags."""
    opened, closing = re.match(r"\s*<think>", text), text.find("</think>")
    if opened is not None:
        return text[closing + len("</think>") :].lstrip() if closing >= 0 else ""
    if closing < 0 or "<think>" in text[:closing]:
        return text
    before, after = text[:closing], text[closing + len("</think>") :]
    ends_its_line = re.match(r"[ \t\r]*(\n|\Z)", after) is not None
    fences = [line for line in before.split("\n") if re.match(r" {0,3}(```|~~~)", line)]
    return after.lstrip() if ends_its_line and len(fences) % 2 == 0 else text


def _holds_error(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.get("error"))


def _has_error_status(chunk: dict[str, Any]) -> bool:
    return any(re.fullmatch(r"[4-9]\d\d+", str(chunk.get(key)), re.ASCII) for key in ("code", "status"))


def _is_mine(choice: Any, place: int) -> bool:
    """Whether a choice is the one with index 0."""
    if not _typed(choice, dict, "a choice"):
        return False
    index = choice.get("index")
    if index is None:
        return place == 0
    if isinstance(index, int | float) and not isinstance(index, bool):
        return index == 0
    if isinstance(index, str) and re.fullmatch(r"\d+", index, re.ASCII):
        return int(index) == 0
    if any(choice.get(key) for key in ("delta", "message", "text", "finish_reason")):
        raise NoAnswerError("an index of another type")
    return False


def _say(source: dict[str, Any], said: Said) -> None:
    """Read a delta or a message."""
    for key, value in source.items():
        if value is not None and key in READERS:
            READERS[key](value, said)


def _say_content(value: Any, said: Said) -> None:
    text, refusal, reasoning = _content(value)
    said.text += [text] if text else []
    said.refusal += [refusal] if refusal else []
    said.reasoned = said.reasoned or reasoning


def _say_refusal(value: Any, said: Said) -> None:
    said.refusal += [word] if (word := _typed(value, str, "refusal")) else []


def _say_reasoning(value: Any, said: Said) -> None:
    said.reasoned = (
        bool(value if isinstance(value, list) else _typed(value, str, "reasoning")) or said.reasoned
    )


def _say_calls(value: Any, said: Said) -> None:
    try:
        said.calls.take(_typed(value, list, "tool_calls") or [])
    except ValueError as error:
        raise NoAnswerError(str(error)) from None


def _say_function_call(value: Any, said: Said) -> None:
    try:
        said.calls.take_function_call(_typed(value, dict, "function_call"))
    except ValueError as error:
        raise NoAnswerError(str(error)) from None


READERS = {
    "content": _say_content,
    "refusal": _say_refusal,
    "reasoning_content": _say_reasoning,
    "reasoning": _say_reasoning,
    "tool_calls": _say_calls,
    "function_call": _say_function_call,
}


THINKING = ("thinking", "reasoning", "thought", "reasoning_text", "summary_text")
"""The types of parts whose ``text`` is reasoning, also where it is a string."""


def _content(content: Any) -> tuple[str, str, bool]:
    """The text and the refusal of a ``content``, and whether there is reasoning in it."""
    if content is None or isinstance(content, str):
        return content or "", "", False
    if not isinstance(content, list):
        raise NoAnswerError("content of a wrong type")
    text, refusal, reasoning = "", "", False
    for part in content:
        if not part or isinstance(part, str):
            text += part or ""
            continue
        if not isinstance(part, dict) or not part.keys() & {"type", "text", "thinking", "refusal"}:
            raise NoAnswerError("a part of the content that is not known")
        if part.get("type") in THINKING and isinstance(part.get("text"), str | list):
            reasoning = reasoning or bool(part["text"])
            continue
        text += _typed(part.get("text"), str, "text") or ""
        refusal += _typed(part.get("refusal"), str, "refusal") or ""
        reasoning = reasoning or bool(part.get("thinking"))
    return text, refusal, reasoning


def _typed(value: Any, kind: type, name: str) -> Any:
    """Return the value; ``None`` if it has a wrong type and no meaning."""
    if isinstance(value, kind):
        return value
    if value:
        raise NoAnswerError(f"{name} of a wrong type")
    return None


def _joined(parts: list[str]) -> str:
    """The parts as one text; a surrogate half without its partner is U+FFFD."""
    text = "".join(parts)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
