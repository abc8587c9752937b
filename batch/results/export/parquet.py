"""Export to a Parquet file with pyarrow (extra ``parquet``), which is imported on first use."""

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
"""Number of rows of a row group, which is kept in memory until it is written."""


def pyarrow() -> tuple[Any, Any]:
    """Return ``pyarrow`` and ``pyarrow.parquet``. Raises ``UsageError`` if pyarrow is not installed."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'promptjobs[parquet]'") from None


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Yield a function that adds one result; on exit the stream contains a complete file."""
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
