"""The fields in which two values of JSON differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 32
"""Levels of a value whose fields are compared one by one; what is deeper is compared as a whole."""


class FieldChange(Struct, frozen=True):
    """A field that differs, by its path, such as ``items[2].price``; the path of a whole value is empty.

    ``before`` or ``after`` is ``UNSET`` if there is no such field.
    """

    path: str
    before: Any
    after: Any


def is_same(before: Any, after: Any) -> bool:
    """Return whether two values are equal. The order of keys is ignored, and 1 is equal to 1.0."""
    return next(field_changes(before, after), None) is None


def field_changes(before: Any, after: Any) -> Iterator[FieldChange]:
    """Yield the fields that differ, in the order of ``before``, then those that only ``after`` has."""
    return _changes(before, after, "", MAX_DEPTH)


def _changes(before: Any, after: Any, path: str, levels: int) -> Iterator[FieldChange]:
    if levels and isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            inner = f"{path}.{key}" if path else key
            yield from _changes(before.get(key, UNSET), after.get(key, UNSET), inner, levels - 1)
    elif levels and isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from _changes(_item(before, place), _item(after, place), f"{path}[{place}]", levels - 1)
    elif not _are_equal(before, after):
        yield FieldChange(path, before, after)


def _item(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else UNSET


def _are_equal(before: Any, after: Any) -> bool:
    """Return whether two values that are not compared field by field are equal; ``true`` is not 1."""
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    try:
        return bool(before == after)
    except RecursionError:  # both are nested about as deeply as Python can compare
        return False
