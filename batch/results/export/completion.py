"""Export as ``{"prompt", "completion"}``: two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, json_lines, text

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Messages, Write

NAME = "completion"
NEEDS_MESSAGES = True


def row(result: Result, messages: Messages) -> JSONObject:
    """Return the messages, joined by empty lines, and the answer. Raises ``NotTextError``."""
    return {"prompt": "\n\n".join(map(text, messages)), "completion": answer_of(result)}


def writer(stream: BinaryIO) -> AbstractContextManager[Write]:
    """Yield a function that writes one result with its request messages."""
    return json_lines(stream, row)
