"""Export as ``{"prompt", "completion"}``: two texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.json_rows import answer_of, joined_texts, json_lines

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from batch.records import JSONObject
    from batch.results.export.protocol import Answer, Layout, Write

NAME = "completion"
NEEDS_MESSAGES = True
TAKES: frozenset[str] = frozenset()


def row(answer: Answer) -> JSONObject:
    """Return the messages, joined by empty lines, and the answer. Raises ``NotTextError``."""
    return {"prompt": joined_texts(answer.messages or ()), "completion": answer_of(answer.result)}


def writer(stream: BinaryIO, layout: Layout) -> AbstractContextManager[Write]:  # noqa: ARG001
    """Yield a function that writes one answer. The format has no options."""
    return json_lines(stream, row)
