"""The header of a CSV file: which of its columns have names, and which a program has added."""

from __future__ import annotations

from typing import NamedTuple

NO_TEXT_ROWS = "has rows without any text, which are left out"


class Header(NamedTuple):
    """The named columns, which are the fields from ``start`` to ``end`` of the ``width`` in a row."""

    columns: list[str]
    start: int
    width: int
    remarks: list[str]

    @classmethod
    def of(cls, fields: list[str]) -> Header:
        """The header in the fields of the first row.

        Columns without a name are left out where spreadsheets and pandas write such: at the end, and the
        first ones, which number or name the rows.
        """
        columns = [field.strip() for field in fields]
        remarks = []
        while len(columns) > 1 and not columns[-1]:
            columns.pop()
        if len(columns) < len(fields):
            remarks.append("has columns without a name at the end, which are left out")
        start = next((number for number, column in enumerate(columns) if column), 0)
        if start:
            what = "a first column" if start == 1 else f"{start} first columns"
            remarks.append(f"has {what} without a name, as pandas writes its index, which is left out")
        return cls(columns[start:], start, len(fields), remarks)

    @property
    def end(self) -> int:
        """The first field after the named ones."""
        return self.start + len(self.columns)

    @property
    def plain_width(self) -> int:
        """The fields of a row that are the named ones and no others; -1 where some are left out."""
        return self.width if len(self.columns) == self.width else -1
