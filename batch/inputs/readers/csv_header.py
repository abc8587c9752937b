"""The header of a CSV file: its named columns, and those that a program has added."""

from __future__ import annotations

from typing import NamedTuple

NO_TEXT_ROWS = "has rows without any text, which are left out"


class Header(NamedTuple):
    """The named columns, which are the fields from ``start`` to ``end`` of the ``width`` in a row."""

    columns: list[str]
    start: int
    width: int
    notices: list[str]

    @classmethod
    def of(cls, fields: list[str]) -> Header:
        """Read the header from the fields of the first row.

        Columns without a name are omitted where spreadsheets and pandas write them: at the end, and the first
        ones, which number or name the rows.
        """
        columns = [field.strip() for field in fields]
        notices = []
        while len(columns) > 1 and not columns[-1]:
            columns.pop()
        if len(columns) < len(fields):
            notices.append("has columns without a name at the end, which are left out")
        start = next((number for number, column in enumerate(columns) if column), 0)
        if start:
            what = "a first column" if start == 1 else f"{start} first columns"
            notices.append(f"has {what} without a name, as pandas writes its index, which is left out")
        return cls(columns[start:], start, len(fields), notices)

    @property
    def end(self) -> int:
        """The first field after the named ones."""
        return self.start + len(self.columns)

    @property
    def plain_width(self) -> int:
        """Return the number of fields of a row that has the named ones only; -1 if some are omitted."""
        return self.width if len(self.columns) == self.width else -1
