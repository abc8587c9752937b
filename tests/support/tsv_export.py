"""A made-up format of exports: the id and the text of each answer, with a tab between, and its question."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.protocol import NotTextError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result
    from batch.results.export.protocol import Messages, Write

NAME = "tsv"
NEEDS_MESSAGES = True


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Take results with the messages that they answer; write their number last."""
    count = 0

    def write(result: Result, messages: Messages) -> None:
        nonlocal count
        if not result.text or "\t" in result.text:
            raise NotTextError
        stream.write(f"{result.id}\t{messages[-1]['content']}\t{result.text}\n".encode())
        count += 1

    yield write
    stream.write(f"# {count}\n".encode())
