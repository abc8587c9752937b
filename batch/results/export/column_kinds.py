"""The types of table columns: which type a value needs, and the cell that a value becomes in it.

The types do not depend on the order of the values. Whole numbers and fractions together are fractions; any
other mixture is text, in which a text stays as it is and any other value is JSON.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from math import isnan
from typing import TYPE_CHECKING, Any

from batch.codec import encode_json, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_INT = 2**63


class Kind(StrEnum):
    """The type of a column, by pyarrow's name."""

    TEXT = "string"
    BOOL = "bool"
    INT = "int64"
    FLOAT = "float64"


class UnfitValueError(ValueError):
    """A value that the type of its column cannot hold."""


_OF_ANY_VALUE = {str: Kind.TEXT, bool: Kind.BOOL, list: Kind.TEXT, dict: Kind.TEXT}
"""The type that every value of a Python type needs."""


def kind_of(value: Any) -> Kind | None:
    """Return the type that the value needs; ``None`` for null and NaN, which fit every type."""
    if (kind := _OF_ANY_VALUE.get(type(value))) is not None or value is None:
        return kind
    if isinstance(value, int):
        return Kind.INT if -_MAX_INT <= value < _MAX_INT else Kind.TEXT
    if isinstance(value, float):
        return None if isnan(value) else Kind.FLOAT
    return Kind.TEXT


_NUMBERS = frozenset({Kind.INT, Kind.FLOAT})


def joined(one: Kind | None, other: Kind | None) -> Kind | None:
    """Return the type that holds the values of both."""
    if one is None or other is None or one is other:
        return one or other
    return Kind.FLOAT if {one, other} == _NUMBERS else Kind.TEXT


def kind_of_all(values: Iterable[Any]) -> Kind | None:
    """Return the type that holds all values; ``None`` if all are null."""
    return all_joined(map(kind_of, values))


def all_joined(kinds: Iterable[Kind | None]) -> Kind | None:
    """Return the type that holds values of all types; ``None`` without a type."""
    return reduce(joined, kinds, None)


def cell(value: Any, kind: Kind) -> Any:
    """Return the value as a cell of a column of this type. Raises ``UnfitValueError``."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return None
    if kind is Kind.TEXT:
        return _text(value)
    if isinstance(value, bool) is not (kind is Kind.BOOL):
        raise UnfitValueError
    if kind is Kind.BOOL:
        return value
    if kind is Kind.FLOAT and isinstance(value, int | float):
        return float(value)
    if kind is Kind.INT and kind_of(value) is Kind.INT:
        return value
    if kind is Kind.INT and is_whole(value):
        return int(value)
    raise UnfitValueError


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, (Decimal, timedelta)):
        return str(value)
    try:
        return json_text(value)
    except TypeError:
        raise UnfitValueError from None


def is_whole(value: Any) -> bool:
    """Whether the value is a fraction without a fractional part, which JSON Schema counts as an integer."""
    return isinstance(value, float) and value.is_integer() and abs(value) < _MAX_INT


def json_text(value: object) -> str | None:
    """Return the value as JSON; ``None`` for null."""
    return None if value is None else encode_json(value).decode()
