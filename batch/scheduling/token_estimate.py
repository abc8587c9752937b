"""Estimates of the tokens of a request, before its server has counted them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from batch.parameters import max_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.records import JSONObject, Request, Usage

PER_BYTE = 1 / 3
"""Tokens per byte of UTF-8 until a server has reported counts.

This is too many for English prose, and about right for code and for scripts with three bytes a character.
"""

PER_MESSAGE = 4
"""Tokens that a chat template adds to a message."""

PER_PART = 1000
"""Tokens of a message part that is not text, such as an image."""

COMPLETION = 512
"""Tokens of an answer, while neither the request nor an answer has defined them."""

MEMORY = 0.95
"""Weight of the earlier observations with each new answer: about the last twenty answers count."""


class Estimate(Struct, frozen=True, gc=False):
    """Tokens of one request: its prompt, the expected answer, and the longest allowed answer (if limited)."""

    size: int
    extra: int
    prompt: float
    completion: float
    longest: int | None

    @property
    def expected(self) -> float:
        """The expected tokens of prompt and answer."""
        return self.prompt + self.completion


class Estimator:
    """Estimates the requests of one model, and learns from the reported usage."""

    def __init__(self) -> None:
        self._prompts = _Ratio()
        self._completions = _Ratio()

    def estimate(self, request: Request) -> Estimate:
        """Return the estimate of a request from all that has been learned so far."""
        size, extra = _size(request.messages)
        longest = max_tokens(request.params)
        expected = self._completions.value(COMPLETION if longest is None else longest)
        completion = expected if longest is None else min(expected, longest)
        return Estimate(size, extra, extra + size * self._prompts.value(PER_BYTE), completion, longest)

    def learn(self, estimate: Estimate, usage: Usage) -> None:
        """Learn from the usage that a server has reported for an estimated request."""
        prompt, completion = tokens_of(usage)
        if prompt and estimate.size:
            self._prompts.add(max(0, prompt - estimate.extra), estimate.size)
        if completion:
            self._completions.add(completion, 1)


class _Ratio:
    """The ratio of two exponentially decaying sums."""

    def __init__(self) -> None:
        self._above = self._below = 0.0

    def add(self, above: float, below: float) -> None:
        self._above = self._above * MEMORY + above
        self._below = self._below * MEMORY + below

    def value(self, default: float) -> float:
        return self._above / self._below if self._below else default


def tokens_of(usage: Usage) -> tuple[int | None, int | None]:
    """Return prompt and completion tokens; tokens in the total alone, such as reasoning, count as completion.

    Reasoning tokens that exceed the completion count are not included in it, and are added.
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
    """Return the bytes of text, and additional tokens."""
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
