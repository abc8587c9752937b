"""Results as a Parquet file, through pyarrow (extra ``parquet``), which is imported when it is asked for."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from batch.errors import UsageError
from batch.results.export.table import COLUMNS, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result
    from batch.results.export.protocol import Messages, Write

NAME = "parquet"
NEEDS_MESSAGES = False

ROW_GROUP = 10_000
"""Rows of one row group: what is held in memory at a time."""


def pyarrow() -> tuple[Any, Any]:
    """The library and its Parquet part. Raises ``UsageError`` where it is not installed."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'promptjobs[parquet]'") from None


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Take results one by one, and leave a whole file in the stream at the end."""
    arrow, parquet = pyarrow()
    schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    gathered: list[dict[str, Any]] = []
    with parquet.ParquetWriter(stream, schema) as writer:

        def flush() -> None:
            writer.write_table(arrow.Table.from_pylist(gathered, schema=schema))
            gathered.clear()

        def add(result: Result, messages: Messages) -> None:  # noqa: ARG001 - a table has no conversations
            gathered.append(row(result))
            if len(gathered) >= ROW_GROUP:
                flush()

        yield add
        if gathered:
            flush()
