"""What a file of results holds: for each request the line that counts, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from batch.codec import decode_result
from batch.inputs.readers.row import BadRow, bad_row
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch.records import Result

MAX_LINE = 128 * 2**20
"""The longest line of results that is read."""


class Entry(Struct, frozen=True, gc=False):
    """One result, without its text. ``code`` is the error's, ``None`` of a success."""

    offset: int
    line: int
    code: str | None
    metadata: JSONObject
    completed_at: str


def entries(file: BinaryIO, name: str) -> tuple[dict[str, Entry], list[BadRow]]:
    """The latest result of each id, in the order of the file, and the lines that are no results."""
    found: dict[str, Entry] = {}
    bad: list[BadRow] = []
    for line, offset, data in _lines(file):
        try:
            result = decode_result(data)
        except ValueError:
            hint = "`inputs.results` reads the output of another job"
            bad.append(bad_row(name, line, "not a result", hint))
            continue
        found.pop(result.id, None)
        code = None if result.error is None else result.error.code
        found[result.id] = Entry(offset, line, code, result.metadata, result.completed_at)
    return found, bad


def result_at(file: BinaryIO, offset: int) -> Result:
    """The result whose line begins at ``offset``. Raises ``ValueError`` where the file has changed."""
    file.seek(offset)
    return decode_result(file.readline(MAX_LINE))


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    number = offset = 0
    while data := file.readline(MAX_LINE):
        number += 1
        if not data.isspace():
            yield number, offset, data
        offset += len(data)
