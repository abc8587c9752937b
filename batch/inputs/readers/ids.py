"""The id that a row brings itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.diagnostics import did_you_mean, kind

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ID = "id"


class IdError(ValueError):
    """A row without an id that can be used. ``what`` is wrong, and ``hint`` may be empty."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


def row_id(row: Mapping[str, Any], id_field: str | None) -> str | None:
    """The id in the column ``id_field``, which every row must have then; else that in ``id``, or ``None``.

    Raises ``IdError``.
    """
    value = row.get(id_field or DEFAULT_ID)
    if value is None:
        if id_field is None:
            return None
        raise IdError("is missing", "" if id_field in row else did_you_mean(id_field, row))
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise IdError(
            "must not be empty" if value == "" else f"expected text or a whole number, got {kind(value)}"
        )
    return str(value)
