"""Parquet values of every type: text where Python has no type for them, and never an end of the reading."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from batch.errors import Diagnostic
from batch.inputs import check
from batch.inputs.readers.iso_time import date_text, duration_text, interval_text, time_text
from tests.support.inputs_support import by_id, source
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from pathlib import Path

pa = pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
parquet = pytest.importorskip("pyarrow.parquet")


def _job(folder: Path, columns: dict[str, Any], prompt: str = "{{ x }}", more: str = "") -> Path:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    parquet.write_table(table, folder / "rows.parquet")
    return write(
        folder, HEAD + f"prompt: {json.dumps(f'x {prompt}')}\ninputs: {{parquet: rows.parquet{more}}}\n"
    )


def _printed(folder: Path, array: Any, prompt: str = "{{ x or 'null' }}") -> list[str]:
    names = [str(number) for number in range(len(array))]
    texts = by_id(source(_job(folder, {"id": names, "x": array}, prompt)))
    return [request.messages[0]["content"][2:] for request in texts.values()]


def _ticks(kind: Any, *ticks: int | None) -> Any:
    width = pa.int32() if kind in (pa.date32(), pa.time32("ms"), pa.time32("s")) else pa.int64()
    return pa.array(ticks, width).view(kind)


SECOND = 1_700_000_000
DAY = 86_400
VALUES = [
    # A text for each of Arrow's units, within and beyond what `datetime` holds.
    (lambda: _ticks(pa.timestamp("ns"), SECOND * 10**9 + 1, None), ["2023-11-14T22:13:20.000000001", "null"]),
    (lambda: _ticks(pa.timestamp("ns"), SECOND * 10**9), ["2023-11-14T22:13:20"]),
    (lambda: _ticks(pa.timestamp("ns"), SECOND * 10**9 + 123_456_000), ["2023-11-14T22:13:20.123456"]),
    (lambda: _ticks(pa.timestamp("ns"), -1), ["1969-12-31T23:59:59.999999999"]),
    (lambda: _ticks(pa.timestamp("ns"), 2**63 - 1), ["2262-04-11T23:47:16.854775807"]),
    (lambda: _ticks(pa.timestamp("ns", "UTC"), 1), ["1970-01-01T00:00:00.000000001+00:00"]),
    (
        lambda: _ticks(pa.timestamp("ns", "Europe/Berlin"), SECOND * 10**9 + 1),
        ["2023-11-14T23:13:20.000000001+01:00"],
    ),
    (lambda: _ticks(pa.timestamp("us", "+05:30"), 0), ["1970-01-01T05:30:00+05:30"]),
    (lambda: _ticks(pa.timestamp("us"), 253_402_300_800 * 10**6), ["+10000-01-01T00:00:00"]),
    (lambda: _ticks(pa.timestamp("us", "UTC"), 253_402_300_800 * 10**6), ["+10000-01-01T00:00:00+00:00"]),
    (lambda: _ticks(pa.timestamp("ms"), -62_167_219_200_001), ["-0001-12-31T23:59:59.999"]),
    (
        lambda: _ticks(pa.timestamp("ms"), -62_135_596_800_001, 0),
        ["0000-12-31T23:59:59.999", "1970-01-01T00:00:00"],
    ),
    (lambda: _ticks(pa.date32(), 0, 2_932_897, None), ["1970-01-01", "+10000-01-01", "null"]),
    (lambda: _ticks(pa.date32(), -719_163, -719_528, -719_529), ["0000-12-31", "0000-01-01", "-0001-12-31"]),
    (lambda: _ticks(pa.time64("ns"), 1, 3_723_000_000_000), ["00:00:00.000000001", "01:02:03"]),
    (lambda: _ticks(pa.time64("us"), 3_723_000_004), ["01:02:03.000004"]),
    (lambda: _ticks(pa.time32("ms"), 3_723_004), ["01:02:03.004000"]),
    (lambda: _ticks(pa.duration("ns"), 1, 10**9), ["PT0.000000001S", "0:00:01"]),
    (lambda: _ticks(pa.duration("ms"), 90_061_001), ["1 day, 1:01:01.001000"]),
    # Numbers.
    (lambda: pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
    (lambda: pa.array([0.5], pa.float32()).cast(pa.float16()), ["0.5"]),
    (lambda: pa.array([Decimal("1.50"), Decimal("-0.01")]), ["1.50", "-0.01"]),
    (lambda: pa.array([Decimal(10**40)], pa.decimal256(60, 2)), ["1" + "0" * 40 + ".00"]),
    (lambda: pa.nulls(2), ["null", "null"]),
    # Texts.
    (lambda: pa.array(["a", None], pa.large_string()), ["a", "null"]),
    (lambda: pa.array(["b", "a", "b"]).dictionary_encode(), ["b", "a", "b"]),
    (lambda: pa.array([b"caf\xc3\xa9", None]), ["café", "null"]),
    (lambda: pa.array([b"ab", b"cd"], pa.binary(2)), ["ab", "cd"]),
    (lambda: pa.array([b"x"], pa.large_binary()), ["x"]),
    (lambda: pa.array([b"a\xc3\xa9"]).view(pa.string()), ["aé"]),
    # Values in others.
    (lambda: pa.array([[date(2026, 11, 22)], []]), ["['2026-11-22']", "null"]),
    (lambda: pa.array([[["a", None]], None]), ["[['a', None]]", "null"]),
    (lambda: pa.array([[b"a"]]), ["['a']"]),
    (lambda: pa.array([{"a": 1, "b": [date(1999, 1, 2)]}, None]), ["{'a': 1, 'b': ['1999-01-02']}", "null"]),
    (
        lambda: pa.array([[("k", date(1999, 1, 2))]], pa.map_(pa.string(), pa.date32())),
        ["[('k', '1999-01-02')]"],
    ),
    (lambda: pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())), ["[('k', 1)]", "null"]),
    (
        lambda: pa.array([["a", "b"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        ["['a', 'b']"],
    ),
    (lambda: pa.array([[1, 2]], pa.list_(pa.int64(), 2)), ["[1, 2]"]),
    (
        lambda: pa.array([b"\x12\x34" * 8], pa.binary(16)).cast(pa.uuid()),
        ["12341234-1234-1234-1234-123412341234"],
    ),
]


@pytest.mark.parametrize(("array", "printed"), VALUES, ids=[case[1][0][:40] for case in VALUES])
def test_values_become_text(array: Any, printed: list[str], tmp_path: Path) -> None:
    assert _printed(tmp_path, array()) == printed


def test_values_keep_their_types_for_templates(tmp_path: Path) -> None:
    columns = {"id": ["a"], "x": [timedelta(seconds=90)], "n": [Decimal("1.5")], "s": [{"t": [1, 2]}]}
    prompt = "{{ x.total_seconds() }} {{ n * 2 }} {{ s.t | sum }}"
    (request,) = by_id(source(_job(tmp_path, columns, prompt))).values()
    assert request.messages[0]["content"] == "x 90.0 3.0 3"


def test_what_a_prompt_does_not_use_may_be_anything(tmp_path: Path) -> None:
    columns = {
        "id": ["a"],
        "x": ["text"],
        "bytes": [b"\xff\xfe"],
        "far": _ticks(pa.timestamp("us"), 2**62),
        "broken": pa.array([b"\xff"]).view(pa.string()),
        "nested": pa.array([[b"\xff"]]),
        "null": pa.nulls(1),
    }
    (request,) = by_id(source(_job(tmp_path, columns))).values()
    assert request.messages[0]["content"] == "x text"


@pytest.mark.parametrize(
    "array", [lambda: pa.array([b"\xff"]), lambda: pa.array([b"\xff"]).view(pa.string())]
)
def test_bytes_that_are_no_text_are_named_with_row_and_column(array: Any, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: check(source(_job(tmp_path, {"id": ["a"], "x": array()})))) == [
        "4:12: prompt: the template prints bytes, not text, in the only row; leave the column `x` out"
    ]
    assert diagnostics_of(
        lambda: check(source(_job(tmp_path, {"id": ["a"], "x": array()}, "y", ", keep: [x]")))
    ) == [
        (
            "rows.parquet:1:1: inputs.keep: the column `x` holds a value that `keep` cannot copy to JSON; "
            "leave it out of `keep`"
        )
    ]


def test_kept_columns_are_json(tmp_path: Path) -> None:
    columns = {"id": ["a"], "x": [b"t"], "d": [Decimal("1.50")], "n": [float("nan")], "t": [timedelta(1)]}
    (request,) = by_id(source(_job(tmp_path, columns, "y", ", keep: [x, d, n, t]"))).values()
    assert request.metadata == {"x": "t", "d": "1.50", "n": None, "t": "1 day, 0:00:00"}


def test_an_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    columns = {"id": ["a"], "__index_level_0__": [7]}
    assert _printed(tmp_path, pa.array(["q"]), "{{ x }}") == ["q"]
    (request,) = by_id(source(_job(tmp_path, columns, "{{ __index_level_0__ }}"))).values()
    assert request.messages[0]["content"] == "x 7"


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (lambda: pa.array([1.0, 2.0]), ["1", "2"]),
        (lambda: pa.array([Decimal("1"), Decimal("2.00")]), ["1", "2"]),
        (lambda: pa.array([b"a", b"b"]), ["a", "b"]),
        (lambda: pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (lambda: pa.array([2**64 - 1, 1], pa.uint64()), ["18446744073709551615", "1"]),
        (lambda: _ticks(pa.date32(), 0, 1), ["1970-01-01", "1970-01-02"]),
    ],
)
def test_ids_of_every_type(ids: Any, names: list[str], tmp_path: Path) -> None:
    assert list(by_id(source(_job(tmp_path, {"id": ids(), "x": ["p", "q"]})))) == names


def test_a_gap_among_ids_is_a_row_without_one(tmp_path: Path) -> None:
    path = _job(tmp_path, {"key": [1.0, float("nan")], "x": ["p", "q"]}, more=", id_field: key")
    assert diagnostics_of(lambda: check(source(path))) == ["rows.parquet:2:1: key: is missing"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (date_text(0), "1970-01-01"),
        (date_text(11_016), "2000-02-29"),
        (date_text(-1), "1969-12-31"),
        (time_text(86_399_999, 1000), "23:59:59.999"),
        (duration_text(0, 1), "PT0S"),
        (duration_text(-90_061, 1), "-P1DT1H1M1S"),
        (duration_text(3_600_000_000_001, 10**9), "PT1H0.000000001S"),
        (interval_text(0, 0, 0), "PT0S"),
        (interval_text(14, 3, 4_500_000_000), "P14M3DT4.500S"),
        (interval_text(1, 0, -(10**9)), "P1MT-1S"),
        (interval_text(0, 1, 90_000 * 10**9), "P1DT90000S"),
    ],
)
def test_iso_8601(text: str, expected: str) -> None:
    assert text == expected


def test_dates_are_those_of_the_standard_library() -> None:
    for days in range(-719_162, 2_932_896, 9973):
        assert date_text(days) == date.fromordinal(days + 719_163).isoformat()


# Files.


def _bytes(folder: Path) -> bytes:
    rows = [f"row {number} {number * 7919 % 1000}" for number in range(5000)]
    parquet.write_table(pa.table({"id": rows, "x": rows}), folder / "whole.parquet", compression="none")
    return (folder / "whole.parquet").read_bytes()


DAMAGED = [
    (lambda data: b"", "is empty; write or copy the file again"),
    (lambda data: data[:-5], "is a Parquet file whose end is missing; write or copy the file again"),
    (lambda data: data[:4], "is a Parquet file whose end is missing"),
    (lambda data: data[: len(data) // 2], "is a Parquet file whose end is missing"),
    (lambda data: data[:-8] + b"\xff\xff\xff\x7f" + b"PAR1", "cannot be read as Parquet: "),
    (lambda data: data[:-8] + b"\x01\x00\x00\x00" + b"PAR1", "cannot be read as Parquet: "),
    (lambda data: data[:-4] + b"PARE", "is an encrypted Parquet file; write it without encryption"),
    (lambda data: b"PARE" + data[4:], "is an encrypted Parquet file; write it without encryption"),
    (lambda data: b"\0" * len(data), "not a Parquet file"),
    (lambda data: b'{"id": "a"}\n', "not a Parquet file; `inputs.jsonl` reads JSON Lines"),
    (lambda data: b"id,text\na,b\n", "not a Parquet file; `inputs.csv` reads CSV"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGED)
def test_a_damaged_file_is_one_error(damage: Any, said: str, tmp_path: Path) -> None:
    path = _job(tmp_path, {"id": ["a"]}, "y")
    (tmp_path / "rows.parquet").write_bytes(damage(_bytes(tmp_path)))
    (found,) = diagnostics_of(lambda: check(source(path)))
    assert found.startswith(f"rows.parquet: {said}")


def test_damage_at_any_place_is_never_a_traceback(tmp_path: Path) -> None:
    path = _job(tmp_path, {"id": ["a"]}, "{{ x }}")
    data = _bytes(tmp_path)
    for at in range(4, len(data) - 8, len(data) // 40):
        (tmp_path / "rows.parquet").write_bytes(data[:at] + b"\xa5" * 64 + data[at + 64 :])
        requests = source(path)
        items = list(requests.trace())
        bad = [item for item in items if isinstance(item, Diagnostic)]
        assert len(items) == 5000 or bad


def test_a_damaged_page_is_named_with_row_and_column(tmp_path: Path) -> None:
    path = _job(tmp_path, {"id": ["a"]}, "{{ x }}")
    data = _bytes(tmp_path)
    (tmp_path / "rows.parquet").write_bytes(data[:4] + b"\xa5" * 64 + data[68:])
    (found,) = diagnostics_of(lambda: check(source(path)))
    assert found.startswith("rows.parquet:1:1: column id cannot be read: ")
    assert found.endswith("; write or copy the file again")


def test_columns_of_one_name_are_named(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    assert diagnostics_of(lambda: check(source(_job(tmp_path, table)))) == [
        "rows.parquet: two columns with the name x; give each a name of its own"
    ]


def test_a_file_without_columns_has_no_rows(tmp_path: Path) -> None:
    assert diagnostics_of(lambda: check(source(_job(tmp_path, pa.table({}), "y")))) == [
        "rows.parquet: has no rows"
    ]
