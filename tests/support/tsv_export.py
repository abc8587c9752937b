"""A made-up format of exports: the id and the text of each answer, with a tab between, and its question."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.protocol import NotTextError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.results.export.protocol import Answer, Layout, Write

NAME = "tsv"
NEEDS_MESSAGES = True
TAKES: frozenset[str] = frozenset()


@contextmanager
def writer(stream: BinaryIO, layout: Layout) -> Iterator[Write]:
    """Take results with the messages that they answer; write their number last."""
    count = 0

    def write(answer: Answer) -> None:
        nonlocal count
        result, messages = answer.result, answer.messages or ()
        if not result.text or "\t" in result.text:
            raise NotTextError
        stream.write(f"{result.id}\t{messages[-1]['content']}\t{result.text}\n".encode())
        count += 1

    yield write
    stream.write(f"# {count}\n".encode())
