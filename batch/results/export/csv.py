"""Results as a CSV file (RFC 4180, UTF-8) with a header, in which no cell starts a formula."""

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
    """Take results one by one, each of them a row below the header."""

    def write(result: Result, messages: Messages) -> None:  # noqa: ARG001 - a table has no conversations
        stream.write(_csv_line(row(result).values()))

    stream.write(_csv_line(COLUMNS))
    yield write


def _csv_line(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: where it would start one, after an apostrophe."""
    if _STARTS_A_FORMULA.match(cell) and not _NUMBER.match(cell):
        return "'" + cell
    return cell
