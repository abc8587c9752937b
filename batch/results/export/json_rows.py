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
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from batch.records import JSONObject, Result
    from batch.results.export.protocol import Answer, Write


@contextmanager
def json_lines(stream: BinaryIO, row: Callable[[Answer], JSONObject]) -> Iterator[Write]:
    """Yield a function that writes one answer as the line that ``row`` returns."""

    def write(answer: Answer) -> None:
        stream.write(encode_line(row(answer)))

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


def joined_texts(messages: Iterable[Mapping[str, Any]]) -> str:
    """Return the texts of the messages, joined by empty lines. Raises ``NotTextError``."""
    return "\n\n".join(map(text, messages))
