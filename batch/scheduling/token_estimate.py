"""How many tokens a request will take, before its server has counted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.parameters import max_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import JSONObject, Request, Usage

PER_BYTE = 1 / 3
"""Tokens for a byte of UTF-8 until a server has counted some: too many for English prose, about right for
code and for scripts of three bytes a character."""

PER_MESSAGE = 4
"""Tokens that a chat template puts around a message."""

PER_PART = 1000
"""Tokens of a part of a message that is no text, such as an image."""

COMPLETION = 512
"""Tokens of an answer, where neither the request nor an answer has told."""

MEMORY = 0.95
"""How much of what was learnt a new answer leaves: the last twenty answers or so count."""


class Estimate(Struct, frozen=True, gc=False):
    """Tokens of one request: its prompt, the answer to expect, and the longest that it allows (if any).

    ``size`` and ``extra`` are what the prompt's tokens are estimated from: bytes, and tokens besides.
    """

    size: int
    extra: int
    prompt: float
    completion: float
    longest: int | None

    @property
    def expected(self) -> float:
        """Of prompt and answer, what is to be expected."""
        return self.prompt + self.completion


class Estimator:
    """Estimates the requests of one model, and learns from what its answers took."""

    def __init__(self) -> None:
        self._prompts = _Ratio()
        self._completions = _Ratio()

    def estimate(self, request: Request) -> Estimate:
        """The request as it stands, by all that has been learnt so far."""
        size, extra = _size(request.messages)
        longest = max_tokens(request.params)
        expected = self._completions.value(COMPLETION if longest is None else longest)
        completion = expected if longest is None else min(expected, longest)
        return Estimate(size, extra, extra + size * self._prompts.value(PER_BYTE), completion, longest)

    def learn(self, estimate: Estimate, usage: Usage) -> None:
        """Take in what a server has counted for a request that was estimated."""
        prompt, completion = tokens_of(usage)
        if prompt and estimate.size:
            self._prompts.add(max(0, prompt - estimate.extra), estimate.size)
        if completion:
            self._completions.add(completion, 1)


class _Ratio:
    """The ratio of two running sums, of which older parts count less and less."""

    def __init__(self) -> None:
        self._above = self._below = 0.0

    def add(self, above: float, below: float) -> None:
        self._above = self._above * MEMORY + above
        self._below = self._below * MEMORY + below

    def value(self, default: float) -> float:
        return self._above / self._below if self._below else default


def tokens_of(usage: Usage) -> tuple[int | None, int | None]:
    """Tokens of prompt and answer; what a server counts in the total alone, such as thoughts, is answer.

    Thoughts that are more than the answer is said to have are no part of it, and come on top.
    """
    prompt, completion, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    reasoning = usage.reasoning_tokens or 0
    if completion is not None and reasoning > completion:
        completion += reasoning
    if total is not None and prompt is not None:
        completion = max(completion or 0, total - prompt)
    elif total is not None and completion is not None:
        prompt = max(0, total - completion)
    return prompt, completion


def _size(messages: Iterable[JSONObject]) -> tuple[int, int]:
    """Bytes of text, and tokens besides."""
    size = extra = 0
    for message in messages:
        extra += PER_MESSAGE
        content = message.get("content")
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            elif text is not None or part is not content:
                extra += PER_PART
    return size, extra
