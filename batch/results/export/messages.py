"""Export as ``{"messages": […]}``: the conversation with its answer, the format for fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, json_lines
from batch.results.export.protocol import REASONING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Answer, Layout, Write

NAME = "messages"
NEEDS_MESSAGES = True
TAKES = frozenset({REASONING})


def row(answer: Answer, layout: Layout) -> JSONObject:
    """Return the conversation. Raises ``NotTextError`` if the answer has neither text nor a tool call."""
    return {"messages": [*(answer.messages or ()), _assistant(answer.result, layout)]}


def _assistant(result: Result, layout: Layout) -> JSONObject:
    """Return the answer as a message, whose keys are the same for all answers of an export."""
    content = result.text or None if result.tool_calls else answer_of(result)
    message: JSONObject = {"role": "assistant", "content": content}
    if layout.reasoning:
        message["reasoning_content"] = result.reasoning or ""
    if layout.tool_calls:
        message["tool_calls"] = result.tool_calls
    return message


def writer(stream: BinaryIO, layout: Layout) -> AbstractContextManager[Write]:
    """Yield a function that writes one answer."""
    return json_lines(stream, lambda answer: row(answer, layout))
