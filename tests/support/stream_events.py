"""Building blocks of the stream corpus: events, answers, and chunks in the shapes of servers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.reference_calls import Call


@dataclass(frozen=True)
class Sent:
    """One event: its JSON value, or the text ``[DONE]``; or lines that are sent as they stand."""

    value: Any = None
    name: str | None = None
    raw: str | None = None
    _encoded: dict[tuple[bool, bool], bytes] = field(default_factory=dict, compare=False, repr=False)

    def encode(self, *, ascii_only: bool = False, compact: bool = False) -> bytes:
        """The lines of the event with LF, without the blank line that closes it."""
        style = (ascii_only, compact)
        if style not in self._encoded:
            self._encoded[style] = self._lines(ascii_only=ascii_only, compact=compact).encode(
                "utf-8", "replace"
            )
        return self._encoded[style]

    def _lines(self, *, ascii_only: bool, compact: bool) -> str:
        if self.raw is not None:
            return self.raw
        word = "[DONE]"
        if self.value != word:
            separators = (",", ":") if compact else (", ", ": ")
            word = json.dumps(self.value, ensure_ascii=ascii_only, separators=separators)
        before = "" if self.name is None else f"event: {self.name}\n"
        return f"{before}data: {word}"


@dataclass(frozen=True)
class Shape:
    """An answer as a server sends it, and what it says."""

    name: str
    events: tuple[Sent, ...] = ()
    whole: Any = None
    verdict: str = "complete"
    text: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = field(default=())


DONE = Sent("[DONE]")
COMMENT = Sent(raw=": OPENROUTER PROCESSING")
WEATHER = Call("call_1", "weather", '{"city":"Oslo"}')
TIME = Call("call_2", "time", "{}")


def words(text: str) -> list[str]:
    """The text in pieces as small as tokens."""
    return re.split(r"(?<=.)(?=[ \n])", text)


def chunk(delta: Any, finish: Any = None, **more: Any) -> dict[str, Any]:
    """One chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [choice],
    } | more


def bare(delta: Any, finish: Any = None) -> dict[str, Any]:
    """One chunk as small servers send it."""
    return {"choices": [{"delta": delta, "finish_reason": finish}]}


def usage_chunk(**more: Any) -> dict[str, Any]:
    """What comes between the finish reason and ``[DONE]``."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return chunk({}, choices=[], usage=usage | more)


def pieces(text: str, make: Any = chunk) -> list[Sent]:
    """The text, an event a word."""
    return [Sent(make({"content": word})) for word in words(text)]


def call(
    index: int | None, arguments: Any, name: str | None = None, call_id: str | int | None = None
) -> dict[str, Any]:
    """One piece of a tool call."""
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
    piece: dict[str, Any] = {"function": function}
    if index is not None:
        piece["index"] = index
    return piece if call_id is None else piece | {"id": call_id, "type": "function"}


def completion(message: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """A whole answer."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "logprobs": None,
        "finish_reason": finish,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
        "usage": usage,
    } | more


TEXT = "The ferry crosses the sound twice a day.\nIt carries cars, cattle – and 😀."
SHORT = "Oslo is cold."
CODE = "Write:\n```\n</think>\n```\nDone."

ROLE = Sent(chunk({"role": "assistant", "content": "", "refusal": None}))
STOP = Sent(chunk({}, "stop"))
