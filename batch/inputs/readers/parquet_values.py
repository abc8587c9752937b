"""Convert the values of a Parquet column to Python's, or to text if Python has no type for them.

Dates and times become ISO 8601 text of any precision and year. Binary columns become text if they are UTF-8,
since many programs write text that way. A value that cannot be read becomes an ``Unreadable``, which is an
error only if a prompt prints it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from batch.inputs.readers import iso_time
from batch.jobfile.nulls import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FAILURES = (ValueError, ArithmeticError, LookupError, TypeError, NotImplementedError, pa.ArrowException)


def values_of(array: Any) -> list[Any]:
    """Return the values of an array of any type; ``None`` for null."""
    kind = array.type
    if (special := _special(kind)) is not None:
        return special(array)
    try:
        values: list[Any] = array.to_pylist()
    except _FAILURES:
        values = _one_by_one(array)
    return values


def _one_by_one(array: Any) -> list[Any]:
    """Read an array value by value if it cannot be read at once."""
    if _is_string(array.type):  # bytes that are not UTF-8
        buffers = [scalar.as_buffer() for scalar in array]
        return [None if buffer is None else _text(buffer.to_pybytes()) for buffer in buffers]
    return _lists(array) if _is_list(array.type) else [_value(scalar) for scalar in array]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _FAILURES as error:
        return Unreadable(f"a value of the type {scalar.type} that cannot be read ({type(error).__name__})")


def _special(kind: Any) -> Callable[[Any], list[Any]] | None:
    """Return the converter of a type that ``to_pylist`` cannot read, or not as text."""
    if isinstance(kind, pa.BaseExtensionType):
        return _uuids if kind.extension_name == "arrow.uuid" else lambda array: values_of(array.storage)
    return next((read for is_kind, read in _SPECIAL if is_kind(kind)), None)


def _timestamps(array: Any) -> list[Any]:
    unit, zone = array.type.unit, array.type.tz
    if unit == "ns":
        return _nanoseconds(array)
    try:
        return [value and value.isoformat() for value in array.to_pylist()]
    except _FAILURES:
        return [_timestamp(scalar, unit, zone) for scalar in array]


def _timestamp(scalar: Any, unit: str, zone: str | None) -> str | None:
    """Convert a timestamp that ``datetime`` cannot hold, or whose zone is unknown, in UTC."""
    if not scalar.is_valid:
        return None
    try:
        return str(scalar.as_py().isoformat())
    except _FAILURES:
        text = iso_time.timestamp_text(scalar.value, _PER_SECOND[unit])
        return text if zone is None else f"{text}+00:00"


def _nanoseconds(array: Any) -> list[Any]:
    """Format like ``datetime``, with nine digits where needed."""
    ticks = array.view(pa.int64()).to_pylist()
    whole = pa.array([tick and tick // 1000 for tick in ticks], pa.int64()).cast(
        pa.timestamp("us", array.type.tz)
    )
    texts = _timestamps(whole)
    return [_with_digits(text, tick) for text, tick in zip(texts, ticks, strict=True)]


def _with_digits(text: str | None, tick: int | None) -> str | None:
    """Return the text with the digits after the microseconds."""
    if text is None or tick is None or not tick % 1000:
        return text
    seconds, rest = text[:19], text[19:]
    if rest.startswith("."):
        return f"{seconds}{rest[:7]}{tick % 1000:03}{rest[7:]}"
    return f"{seconds}.000000{tick % 1000:03}{rest}"


def _dates(array: Any) -> list[Any]:
    try:
        return [value and value.isoformat() for value in array.to_pylist()]
    except _FAILURES:
        per_day = 1 if types.is_date32(array.type) else 86_400_000
        ticks = array.view(pa.int32() if per_day == 1 else pa.int64()).to_pylist()
        return [tick if tick is None else iso_time.date_text(tick // per_day) for tick in ticks]


def _times(array: Any) -> list[Any]:
    unit = array.type.unit
    if unit != "ns":
        return [value if value is None else value.isoformat() for value in array.to_pylist()]
    ticks = array.view(pa.int64()).to_pylist()
    return [tick if tick is None else iso_time.time_text(tick, _PER_SECOND[unit]) for tick in ticks]


def _durations(array: Any) -> list[Any]:
    """Return a ``timedelta`` if it is exact; else text."""
    if array.type.unit == "ns":
        return [_nanosecond_duration(tick) for tick in array.view(pa.int64()).to_pylist()]
    try:
        values: list[Any] = array.to_pylist()
    except _FAILURES:
        return [_duration(scalar) for scalar in array]
    return values


def _duration(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _FAILURES:
        return iso_time.duration_text(scalar.value, _PER_SECOND[scalar.type.unit])


def _nanosecond_duration(tick: int | None) -> timedelta | str | None:
    if tick is None:
        return None
    return iso_time.duration_text(tick, 10**9) if tick % 1000 else timedelta(microseconds=tick // 1000)


def _intervals(array: Any) -> list[Any]:
    values = [scalar.as_py() for scalar in array]
    return [value if value is None else iso_time.interval_text(*value) for value in values]


def _uuids(array: Any) -> list[Any]:
    return [value if value is None else str(value) for value in array.to_pylist()]


def _binaries(array: Any) -> list[Any]:
    return [_text(value) for value in array.to_pylist()]


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return value if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def _structs(array: Any) -> list[Any]:
    names = [array.type.field(index).name for index in range(array.type.num_fields)]
    if len(set(names)) < len(names):
        return [None if not scalar.is_valid else Unreadable("fields of one name") for scalar in array]
    if not names:
        return [{} if scalar.is_valid else None for scalar in array]
    columns = [values_of(column) for column in array.flatten()]
    valid = array.is_valid().to_pylist()
    rows = zip(*columns, strict=True)
    return [dict(zip(names, row, strict=True)) if is_valid else None for row, is_valid in zip(rows, valid)]  # noqa: B905


def _lists(array: Any) -> list[Any]:
    return [values_of(scalar.values) if scalar.is_valid else None for scalar in array]


def _maps(array: Any) -> list[Any]:
    result: list[Any] = []
    for scalar in array:
        entries = scalar.values if scalar.is_valid else None
        if entries is None:
            result.append(None)
        else:
            keys, items = (values_of(entries.field(index)) for index in (0, 1))
            result.append(list(zip(keys, items, strict=True)))
    return result


def _is_binary(kind: Any) -> bool:
    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(test(kind) for test in tests)


def _is_string(kind: Any) -> bool:
    return any(test(kind) for test in (types.is_string, types.is_large_string, types.is_string_view))


def _is_list(kind: Any) -> bool:
    views = (types.is_list_view, types.is_large_list_view)
    return any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list, *views))


def _is_list_of_others(kind: Any) -> bool:
    return _is_list(kind) and _special(kind.value_type) is not None


_SPECIAL: tuple[tuple[Callable[[Any], bool], Callable[[Any], list[Any]]], ...] = (
    (types.is_timestamp, _timestamps),
    (types.is_date, _dates),
    (types.is_time, _times),
    (types.is_duration, _durations),
    (types.is_interval, _intervals),
    (_is_binary, _binaries),
    (types.is_dictionary, lambda array: values_of(array.dictionary_decode())),
    (types.is_run_end_encoded, lambda array: values_of(pc.run_end_decode(array))),
    (types.is_map, _maps),
    (types.is_struct, _structs),
    (_is_list_of_others, _lists),
)
