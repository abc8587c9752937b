"""Export as ``{"conversations": [{"from", "value"}]}``, with ShareGPT's names of the roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, json_lines, text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Messages, Write

NAME = "sharegpt"
NEEDS_MESSAGES = True

_ROLES = {"system": "system", "developer": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def row(result: Result, messages: Messages) -> JSONObject:
    """Return the conversation. Raises ``NotTextError``."""
    turns = [{"from": _ROLES.get(str(m["role"]), str(m["role"])), "value": text(m)} for m in messages]
    return {"conversations": [*turns, {"from": "gpt", "value": answer_of(result)}]}


def writer(stream: BinaryIO) -> AbstractContextManager[Write]:
    """Yield a function that writes one result with its request messages."""
    return json_lines(stream, row)
