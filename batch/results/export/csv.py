"""Export as a CSV file (RFC 4180, UTF-8) with a header; no cell starts a formula."""

from __future__ import annotations

import csv
import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from batch.results.export.table import COLUMNS, row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.records import Result
    from batch.results.export.protocol import Messages, Write

NAME = "csv"
NEEDS_MESSAGES = False

_STARTS_A_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?\Z", re.ASCII)


@contextmanager
def writer(stream: BinaryIO) -> Iterator[Write]:
    """Yield a function that writes one result as a row; write the header first."""

    def write(result: Result, messages: Messages) -> None:  # noqa: ARG001 - a table has no conversations
        stream.write(_csv_line(row(result).values()))

    stream.write(_csv_line(COLUMNS))
    yield write


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _harmless(cell: str) -> str:
    """Return the cell, with a leading apostrophe if a spreadsheet would take it for a formula."""
    if _STARTS_A_FORMULA.match(cell) and not _NUMBER.match(cell):
        return "'" + cell
    return cell
