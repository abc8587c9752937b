"""Plausibility check of reported token counts against the texts that they describe.

Some servers report 0 or 1 token for an answer of a page, restart the count with every event, or omit cached
tokens from the prompt. A token limit that trusted such counts would be exceeded.
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
"""More bytes of text than any tokenizer puts into one token on average.

English takes 4 to 5, vocabularies with multi-word tokens 7. Only white space and repeated characters or
punctuation take more; they are not counted.
"""

SLACK = 16
"""Bytes of text that are allowed in addition: a single token may be long."""

SAMPLE = 200_000
"""Maximum number of characters of one text that are examined."""

_RUNS = re.compile(r"\s{2,}|(\S)\1{3,}|(\W{2,4}?)\2{3,}")


def believed(usage: Usage | None, request: Request, outcome: Outcome) -> tuple[int | None, int | None]:
    """Return the prompt and completion tokens; ``None`` for a count that is missing or implausibly small."""
    if usage is None:
        return None, None
    prompt, completion = tokens_of(usage)
    if prompt is not None and is_too_small(prompt, _texts(request.messages)):
        prompt = None
    if completion is not None and is_too_small(completion, _output_texts(outcome)):
        completion = None
    return prompt, completion


def is_too_small(tokens: int, texts: Iterable[str]) -> bool:
    """Whether ``tokens`` is too small for texts of this length."""
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


def _output_texts(outcome: Outcome) -> Iterator[str]:
    """Yield all model output that was kept."""
    if isinstance(outcome, Failure):
        if outcome.answer is not None:
            yield from _output_texts(outcome.answer)
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
