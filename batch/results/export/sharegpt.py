"""Export as ``{"conversations": [{"from", "value"}]}``, with ShareGPT's names of the roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, json_lines, text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject
    from batch.results.export.protocol import Answer, Layout, Write

NAME = "sharegpt"
NEEDS_MESSAGES = True
TAKES: frozenset[str] = frozenset()

_ROLES = {"system": "system", "developer": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def row(answer: Answer) -> JSONObject:
    """Return the conversation. Raises ``NotTextError``."""
    messages = answer.messages or ()
    turns = [{"from": _ROLES.get(str(m["role"]), str(m["role"])), "value": text(m)} for m in messages]
    return {"conversations": [*turns, {"from": "gpt", "value": answer_of(answer.result)}]}


def writer(stream: BinaryIO, layout: Layout) -> AbstractContextManager[Write]:  # noqa: ARG001
    """Yield a function that writes one answer. The format has no options."""
    return json_lines(stream, row)
