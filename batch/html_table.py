"""Tables in HTML for notebooks: every text is escaped, and invisible characters are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.terminal_escaping import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 1000
"""Characters of a cell; longer texts end in an ellipsis."""


def pairs_table(pairs: Iterable[tuple[str, object]]) -> str:
    """Return a table of names and values; pairs without a value are left out."""
    filled = [(name, value) for name, value in pairs if value not in (None, "")]
    rows = "".join(f"<tr><th>{cell(name)}</th><td>{cell(value)}</td></tr>" for name, value in filled)
    return f"<table>{rows}</table>"


def table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table with a heading for each column."""
    head = "".join(f"<th>{cell(title)}</th>" for title in titles)
    lines = ("".join(f"<td>{cell(value)}</td>" for value in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: object) -> str:
    """Return a value as the text of a cell; nothing for ``None``."""
    from html import escape as escape_markup  # noqa: PLC0415 - slow to load, and only notebooks need it

    return "" if value is None else escape_markup(escape(str(value), _LONGEST))
