"""``inputs.split``: rows with a long text become several, each with a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.inputs.readers.row import BadRow, Row
from batch.inputs.readers.split import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.inputs.readers.row import Read
    from batch.jobfile.job import Split


def chunked(rows: Iterable[Read], split: Split) -> Iterator[Read]:
    """The rows, each in chunks of its variable ``text``.

    A chunk has the variables and the metadata of its row and besides ``chunk`` (from 1) and ``chunks``; its
    id is the row's with its number, also where there is but one, so that a text that grows renames nothing.
    The metadata of a chunk name what it is a part of: a document by ``path``, a row by ``row``.
    """
    for row in rows:
        if isinstance(row, Row):
            yield from _chunks(row, split)
        else:
            yield row


def _chunks(row: Row, split: Split) -> Iterator[Read]:
    text = row.variables.get("text")
    if not isinstance(text, str):
        what = "no text to split: it needs a column `text`"
        yield BadRow(row.mistake("inputs.split", what), row.id)
        return
    parts = spans(text, split.tokens, split.overlap)
    origin = row.metadata if "path" in row.metadata or row.id is None else {"row": row.id, **row.metadata}
    for number, (start, end) in enumerate(parts, 1):
        counts = {"chunk": number, "chunks": len(parts)}
        yield Row(
            None if row.id is None else f"{row.id}/{number}",
            {**row.variables, "text": text[start:end], **counts},
            {**origin, **counts},
            row.path,
            row.line,
        )
