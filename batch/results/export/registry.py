"""Registry of the export formats; results are written one at a time."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from batch.codec import encode_line
from batch.results.export.json_rows import WITH_MESSAGES, Messages, openai_batch
from batch.results.export.parquet import parquet_writer
from batch.results.export.table import csv_header, csv_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch.records import Result

    Write: TypeAlias = Callable[[Result, Messages], None]

FORMATS = (*WITH_MESSAGES, "csv", "parquet", "openai-batch")


def needs_messages(form: str) -> bool:
    """Whether the format also contains the request messages."""
    return form in WITH_MESSAGES


@contextmanager
def writer(form: str, stream: BinaryIO) -> Iterator[Write]:
    """Yield a function that writes a result, with the messages that it answers, in one of ``FORMATS``.

    Raises ``UsageError`` if a library is missing, and ``OSError``. The function raises ``NotTextError``.
    """
    if form == "parquet":
        with parquet_writer(stream) as add:
            yield lambda result, _: add(result)
    elif form == "csv":
        stream.write(csv_header())
        yield lambda result, _: _put(stream, csv_line(result))
    elif form in WITH_MESSAGES:
        shape = WITH_MESSAGES[form]
        yield lambda result, messages: _put(stream, encode_line(shape(result, messages)))
    else:
        yield lambda result, _: _put(stream, encode_line(openai_batch(result)))


def _put(stream: BinaryIO, line: bytes) -> None:
    stream.write(line)


def is_for_test(request_id: str, share: float) -> bool:
    """Whether a result belongs to the test split. Only its id decides, so that it never changes sides."""
    digest = blake2b(request_id.encode(), digest_size=8, person=b"split").digest()
    return int.from_bytes(digest) < share * 2**64
