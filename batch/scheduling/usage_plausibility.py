"""Whether token counts can be true beside the texts that they are about.

Servers report 0 or 1 token for an answer of a page, count anew with every event, or leave out of the prompt
what they had in a cache. A limit that believed them would not hold.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch.records import Failure
from batch.scheduling.token_estimate import tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.records import JSONObject, Outcome, Request, Usage

BYTES_PER_TOKEN = 10
"""More bytes of text than any tokenizer puts into one token on average: English takes 4 to 5, vocabularies
with tokens of several words 7. Only blanks, and runs of a character or a few marks, take more: they do not
count."""

SLACK = 16
"""Bytes of text about which nothing is concluded: one token may be a long one."""

SAMPLE = 200_000
"""Characters of one text that are looked at."""

_RUNS = re.compile(r"\s{2,}|(\S)\1{3,}|(\W{2,4}?)\2{3,}")


def believed(usage: Usage | None, request: Request, outcome: Outcome) -> tuple[int | None, int | None]:
    """Return the tokens of prompt and answer; ``None`` for one that is missing or too small to be true."""
    if usage is None:
        return None, None
    prompt, completion = tokens_of(usage)
    if prompt is not None and is_too_small(prompt, _texts(request.messages)):
        prompt = None
    if completion is not None and is_too_small(completion, _said(outcome)):
        completion = None
    return prompt, completion


def is_too_small(tokens: int, texts: Iterable[str]) -> bool:
    """Whether texts of such length cannot have so few tokens."""
    most = tokens * BYTES_PER_TOKEN + SLACK
    found = list(texts)
    if sum(map(_bytes, found)) <= most:
        return False
    return sum(_bytes(_RUNS.sub("  ", text[:SAMPLE])) for text in found) > most


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _texts(messages: Iterable[JSONObject]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else [content]:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text


def _said(outcome: Outcome) -> Iterator[str]:
    """All that the model has said, as far as it is kept."""
    if isinstance(outcome, Failure):
        if outcome.answer is not None:
            yield from _said(outcome.answer)
        elif outcome.partial_text:
            yield outcome.partial_text
        return
    yield outcome.text
    yield outcome.reasoning or ""
    yield outcome.refusal or ""
    for call in outcome.tool_calls or ():
        function = call.get("function")
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if isinstance(arguments, str):
            yield arguments
