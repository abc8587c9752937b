"""The fields of the objects of an export, each of which becomes a column: its name and its type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batch.results.export.column_kinds import Kind, is_whole, joined, kind_of

MAX_FIELDS = 1000
"""Fields that become columns. Objects with more are not of one form; the others stay in the JSON alone."""


class Fields:
    """The fields that objects have, in the order of their first occurrence, with the types of their values.

    A field is declared, or it is seen in an object. ``is_mixed``: a value was no object. ``left_out`` is set
    once there were more than ``MAX_FIELDS``.
    """

    def __init__(self) -> None:
        self.is_mixed = False
        self.left_out = False
        self._kinds: dict[str, Kind | None] = {}
        self._declared: dict[str, Kind] = {}

    @property
    def kinds(self) -> dict[str, Kind]:
        """The type of each field's column. A field that only null was seen in is text."""
        return {name: kind or Kind.TEXT for name, kind in self._kinds.items()}

    def declare(self, name: str, kind: Kind | None) -> None:
        """Add a field with the type that its values have by declaration."""
        self._add(name, kind)
        if (declared := self._kinds.get(name)) is not None:
            self._declared[name] = declared

    def see(self, values: Any) -> None:
        """Add the fields of an object. Null has none."""
        if not isinstance(values, Mapping):
            self.is_mixed = self.is_mixed or values is not None
            return
        for name, value in values.items():
            kind = kind_of(value)
            if kind is Kind.FLOAT and self._declared.get(name) is Kind.INT and is_whole(value):
                continue
            if name not in self._kinds or (kind is not None and kind is not self._kinds[name]):
                self._add(name, kind)

    def _add(self, name: str, kind: Kind | None) -> None:
        if name in self._kinds or len(self._kinds) < MAX_FIELDS:
            self._kinds[name] = joined(self._kinds.get(name), kind)
        else:
            self.left_out = True
