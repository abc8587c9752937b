"""What the formats with one JSON object a result share.

Every row has the same keys with the same value types; a missing value is ``null``. Readers that infer a
schema from the first rows therefore infer the right one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from batch.codec import encode_line
from batch.results.export.protocol import NotTextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Messages, Write


@contextmanager
def json_lines(stream: BinaryIO, row: Callable[[Result, Messages], JSONObject]) -> Iterator[Write]:
    """Yield a function that writes one result as the line that ``row`` returns."""

    def write(result: Result, messages: Messages) -> None:
        stream.write(encode_line(row(result, messages)))

    yield write


def answer_of(result: Result) -> str:
    """Return the text of an answer. Raises ``NotTextError`` if it has none."""
    if not result.text:
        raise NotTextError
    return result.text


def text(message: Mapping[str, Any]) -> str:
    """Return the text of a message. Raises ``NotTextError`` if it has other parts, such as images."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if any(not isinstance(part, str) for part in texts):
        raise NotTextError
    return "".join(map(str, texts))
