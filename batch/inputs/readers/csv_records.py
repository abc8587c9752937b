"""The records of a CSV file, each with its first line, in bounded memory whatever the file contains."""

from __future__ import annotations

import csv
import re
from collections import deque
from typing import TYPE_CHECKING, TextIO

from batch.files import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEPARATORS = ",;\t"
_RARE_SEPARATOR = "|"  # only if the header has none of the others
_EXCEL = re.compile(r"\"?sep=(.)\"?[,;\t]*\s*\Z", re.IGNORECASE)
_POWERSHELL = re.compile(r"\"?#TYPE ")
_ESCAPED_QUOTE = '\\"'
_SAMPLE = 2**16  # characters of the header from which the separator is detected


class CsvError(ValueError):
    """Not a record. ``line`` is where it begins; after a ``fatal`` one the rest cannot be read."""

    def __init__(self, line: int, what: str, hint: str = "", *, fatal: bool = False) -> None:
        self.line = line
        self.what = what
        self.hint = hint
        self.fatal = fatal
        super().__init__(what)


class CsvRecords:
    """The records of an open text file (with ``newline=""``) as an iterator of lines and fields.

    ``next`` raises ``CsvError`` for an invalid record, and continues after it. ``first`` is the line of the
    header. ``notices`` report removed lines before it that are meant for other programs. ``has_escapes`` is
    true once a quote was read that a backslash escapes, as Spark writes it.
    """

    def __init__(self, file: TextIO) -> None:
        # A field may be as long as a row; the standard library has one limit for the whole process.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))
        self._lines = _Lines(file)
        self.notices: list[str] = []
        written = self._left_out()
        self.first = self._lines.peek()
        self._separator = written or _separator(self.first)
        self._reader = csv.reader(self._lines, delimiter=self._separator, strict=True)
        self.has_escapes = False

    def _left_out(self) -> str:
        """Skip lines before the header that only one program uses; return the separator that they name."""
        separator = ""
        while True:
            line = self._lines.peek()
            if match := _EXCEL.match(line):
                separator = match[1]
                self.notices.append("has Excel's line `sep=` before the header, which is not a row")
            elif _POWERSHELL.match(line):
                self.notices.append("has PowerShell's line `#TYPE` before the header, which is not a row")
            else:
                return separator
            self._lines.drop()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        fields: list[str] = []
        while not fields:  # a blank line
            self._lines.begin_record()
            line = self._lines.number + 1
            try:
                fields = next(self._reader)
            except _EndlessError:
                what = f"a row larger than {MAX_BYTES >> 20} MiB"
                raise CsvError(line, what, "is a quote missing?", fatal=True) from None
            except csv.Error:
                fields = self._unescaped(line)
        return line, fields

    def _unescaped(self, line: int) -> list[str]:
        """Reread an invalid record, with quotes instead of those that a backslash escapes.

        Raises ``CsvError`` if it is still invalid.
        """
        if not self._lines.reread(_ESCAPED_QUOTE):
            raise self._error(line)
        try:
            lines = (each.replace(_ESCAPED_QUOTE, '""') for each in self._lines)
            fields = next(csv.reader(lines, delimiter=self._separator, strict=True))
        except (csv.Error, StopIteration, _EndlessError):
            raise self._error(line) from None
        self.has_escapes = True
        return fields

    def _error(self, line: int) -> CsvError:
        if self._lines.ended:
            return CsvError(line, "a quote that is opened and never closed", fatal=True)
        return CsvError(line, "text after a closing quote", "inside quotes a quote is duplicate key")


class _EndlessError(Exception):
    """A record that has exceeded the maximum size."""


class _Lines:
    """The lines of a file, counted; within one record at most ``MAX_BYTES`` characters of them."""

    def __init__(self, file: TextIO) -> None:
        self.number = 0
        self.ended = False
        self._file = file
        self._peeked = ""
        self._record: list[str] = []
        self._again: deque[str] = deque()
        self._room = MAX_BYTES

    def peek(self) -> str:
        """Return the first line that is not blank, without consuming it; or an empty text."""
        if self._peeked:
            return self._peeked
        while (line := self._file.readline(MAX_BYTES)).isspace():
            self.number += 1
        self._peeked = line
        return line

    def drop(self) -> None:
        """Skip the line that ``peek`` has returned."""
        self._peeked = ""
        self.number += 1

    def begin_record(self) -> None:
        """Start a record at the next line."""
        self._room = MAX_BYTES
        self._record.clear()

    def reread(self, mark: str) -> bool:
        """Return whether the lines of this record contain the mark; then they are read once more."""
        if not any(mark in line for line in self._record):
            return False
        self._again.extendleft(reversed(self._record))
        self.number -= len(self._record)
        self.ended = False
        self.begin_record()
        return True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            line, self._peeked = self._peeked or self._file.readline(self._room), ""
        if not line:
            self.ended = True
            raise StopIteration
        self.number += 1
        self._record.append(line)
        self._room -= len(line)
        if self._room <= 0:
            raise _EndlessError
        return line


def _separator(header: str) -> str:
    """Return the most frequent separator in the header, outside quotes; a comma by default."""
    bare = "".join(header[:_SAMPLE].split('"')[::2])
    best = max(_SEPARATORS, key=bare.count)
    return best if best in bare or _RARE_SEPARATOR not in bare else _RARE_SEPARATOR
