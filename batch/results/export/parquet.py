"""Export to a Parquet file with pyarrow (extra ``parquet``), which is imported on first use."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from batch.errors import UsageError
from batch.results.export.protocol import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.results.export.protocol import Answer, Column, Layout, Write

NAME = "parquet"
NEEDS_MESSAGES = False
TAKES = frozenset({COLUMNS})

ROW_GROUP = 10_000
"""The maximum number of rows of a row group, which is kept in memory until it is written."""

ROW_GROUP_SIZE = 2**25
"""The size of the texts of a row group, in characters, at which it is written."""


def pyarrow() -> tuple[Any, Any]:
    """Return ``pyarrow`` and ``pyarrow.parquet``. Raises ``UsageError`` if pyarrow is not installed."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'promptjobs[parquet]'") from None


@contextmanager
def writer(stream: BinaryIO, layout: Layout) -> Iterator[Write]:
    """Yield a function that adds one answer; on exit the stream contains a complete file."""
    arrow, parquet = pyarrow()
    fields = [(column.name, arrow.type_for_alias(str(column.kind))) for column in layout.columns]
    schema = arrow.schema(fields)
    rows = _Rows(layout.columns)
    with parquet.ParquetWriter(stream, schema) as file:

        def flush() -> None:
            arrays = [
                arrow.array(values, kind) for values, (_, kind) in zip(rows.take(), fields, strict=True)
            ]
            file.write_table(arrow.Table.from_arrays(arrays, schema=schema))

        def add(answer: Answer) -> None:
            rows.add(answer)
            if rows.number >= ROW_GROUP or rows.size >= ROW_GROUP_SIZE:
                flush()

        yield add
        if rows.number:
            flush()


class _Rows:
    """The rows of the next row group, by column. ``size`` is that of their texts."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.number = self.size = 0
        self._values: list[list[Any]] = [[] for _ in columns]
        self._adders = [
            (column.of, values.append) for column, values in zip(columns, self._values, strict=True)
        ]

    def add(self, answer: Answer) -> None:
        self.number += 1
        for of, append in self._adders:
            value = of(answer)
            append(value)
            if isinstance(value, str):
                self.size += len(value)

    def take(self) -> list[list[Any]]:
        """Return the values and start anew."""
        taken = [values.copy() for values in self._values]
        for values in self._values:
            values.clear()
        self.number = self.size = 0
        return taken
