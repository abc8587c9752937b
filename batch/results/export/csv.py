"""Export as a CSV file (RFC 4180, UTF-8) with a header; no cell starts a formula."""

from __future__ import annotations

import csv
import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from batch.amounts import plain
from batch.results.export.protocol import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.results.export.protocol import Answer, Layout, Write

NAME = "csv"
NEEDS_MESSAGES = False
TAKES = frozenset({COLUMNS})

_STARTS_A_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)


@contextmanager
def writer(stream: BinaryIO, layout: Layout) -> Iterator[Write]:
    """Yield a function that writes one answer as a row; write the header first."""
    lines = _Lines(stream)
    getters = [column.of for column in layout.columns]

    def write(answer: Answer) -> None:
        lines.write([_cell(of(answer)) for of in getters])

    lines.write([_cell(column.name) for column in layout.columns])
    yield write


class _Lines:
    """Writes rows as lines in UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._line = io.StringIO(newline="")
        self._writer = csv.writer(self._line)

    def write(self, cells: list[Any]) -> None:
        self._writer.writerow(cells)
        self._stream.write(self._line.getvalue().encode())
        self._line.seek(0)
        self._line.truncate()


def _cell(value: Any) -> Any:
    """Return a text that no spreadsheet takes for a formula, and a number in digits."""
    if isinstance(value, str):
        return "'" + value if _STARTS_A_FORMULA.match(value) and not _NUMBER.match(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, float) else value
