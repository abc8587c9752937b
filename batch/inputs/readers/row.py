"""What the readers of a job's inputs yield: rows, and what stands in place of a row."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - msgspec reads it
from typing import Any, TypeAlias

from msgspec import Struct

from batch.errors import Mistake
from batch.records import JSONObject  # noqa: TC001 - msgspec reads it

SKIPS_EMPTY = "has rows that leave the prompt empty, which are skipped (`on_empty: skip`)"
"""What to say of a file whose empty rows are skipped."""

SKIPS_BLANK = "is empty and is skipped (`on_empty: skip`)"
"""What to say of a blank document that is skipped."""


class Row(Struct, frozen=True, gc=False):
    """The variables of one document or one row: what a prompt is filled with; and where they were read.

    ``id`` is ``None`` where the row brings none. ``path`` and ``line`` name its place in mistakes; a document
    has line 0.
    """

    id: str | None
    variables: dict[str, Any]
    metadata: JSONObject
    path: str
    line: int

    def mistake(self, where: str, what: str, hint: str = "") -> Mistake:
        """What is wrong with the row, or with what is made of it."""
        return Mistake(self.path, self.line, 1 if self.line else 0, where, what, hint)


class BadRow(Struct, frozen=True, gc=False):
    """One row or document that cannot be used, while the others can.

    ``id`` is that of the request that it would have been, as far as it is known.
    """

    mistake: Mistake
    id: str | None = None


class BadDraft(BadRow, frozen=True, gc=False):
    """A row that one prompt cannot be filled with. The fields are those of ``drafts.Draft``."""

    stem: tuple[str, ...] | None = None
    variant: tuple[str, ...] = ()
    targets: Sequence[int] = ()


class Note(Struct, frozen=True, gc=False):
    """Something about a file that a person should know, though nothing is wrong with it."""

    path: str
    what: str


Read: TypeAlias = Row | BadRow | Mistake | Note
"""One thing read. A ``Mistake`` speaks of the inputs as a whole: no row can make up for it."""


def bad_row(path: str, line: int, what: str, hint: str = "", *, where: str = "", column: int = 1) -> BadRow:
    """A bad row of a file; ``line`` counts from 1."""
    return BadRow(Mistake(path, line, column, where, what, hint))
