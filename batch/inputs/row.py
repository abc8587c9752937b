"""One row of a job's inputs: what a prompt is filled with."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from batch.records import JSONObject  # noqa: TC001 - msgspec reads it


class Row(Struct, frozen=True, gc=False):
    """The variables of one document or one row, and where they were read.

    ``id`` is ``None`` where the row brings none. ``path`` and ``line`` name its place in mistakes; a document
    has line 0.
    """

    id: str | None
    variables: dict[str, Any]
    metadata: JSONObject
    path: str
    line: int
