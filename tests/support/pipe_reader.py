"""A made-up format of rows: names in the first line, values in the others, with ``|`` between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.errors import Diagnostic
from batch.inputs.readers.row import BadRow, Row, bad_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch.jobfile import Inputs

NAME = "piped"
ENDINGS = (".piped",)
HAS_HEADER = True


def rows(path: Path, inputs: Inputs, *, may_be_empty: bool) -> Iterator[Row | BadRow | Diagnostic]:
    """Yield the rows of a file."""
    try:
        header, *lines = path.read_text("utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError):
        yield Diagnostic(str(path), 0, 0, "", "cannot be read")
        return
    names = header.split("|")
    for number, line in enumerate(lines, 2):
        values = dict(zip(names, line.split("|"), strict=False))
        if len(values) < len(names):
            yield bad_row(str(path), number, f"has {len(values)} of {len(names)} values")
        else:
            yield Row(values.get(inputs.id_field or "id"), values, {}, str(path), number)
    if not lines and not may_be_empty:
        yield Diagnostic(str(path), 0, 0, "", "has no rows")
