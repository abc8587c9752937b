"""Export as ``{"messages": […]}``: the conversation with its answer, the format for fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, json_lines

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Messages, Write

NAME = "messages"
NEEDS_MESSAGES = True


def row(result: Result, messages: Messages) -> JSONObject:
    """Return the conversation. Raises ``NotTextError`` if the answer has neither text nor a tool call."""
    if result.tool_calls:
        answer = {"role": "assistant", "content": result.text or None, "tool_calls": result.tool_calls}
    else:
        answer = {"role": "assistant", "content": answer_of(result)}
    return {"messages": [*messages, answer]}


def writer(stream: BinaryIO) -> AbstractContextManager[Write]:
    """Yield a function that writes one result with its request messages."""
    return json_lines(stream, row)
