"""``column_kinds``, ``schema_fields``, ``fields``: the type of a column, whatever the order of its values."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.results.export.column_kinds import Kind, UnfitValueError, cell, kind_of, kind_of_all
from batch.results.export.fields import MAX_FIELDS, Fields
from batch.results.export.schema_fields import fields_of

MIXTURES = [
    ([1, 2], Kind.INT),
    ([1, 2.5], Kind.FLOAT),
    ([2.5, 1], Kind.FLOAT),
    ([1, None, nan], Kind.INT),
    ([True, False, None], Kind.BOOL),
    ([True, 1], Kind.TEXT),
    (["1", 1], Kind.TEXT),
    ([[1], None], Kind.TEXT),
    ([{"a": 1}], Kind.TEXT),
    ([2**63], Kind.TEXT),
    ([-(2**63)], Kind.INT),
    ([None, nan], None),
    ([], None),
]


@pytest.mark.parametrize(("values", "kind"), MIXTURES)
def test_a_mixture_of_values_has_one_type(values: list[Any], kind: Kind | None) -> None:
    assert kind_of_all(values) is kind


CELLS = [
    (1, Kind.FLOAT, 1.0),
    (2.0, Kind.INT, 2),
    (nan, Kind.FLOAT, None),
    (None, Kind.BOOL, None),
    ("1", Kind.TEXT, "1"),
    (1, Kind.TEXT, "1"),
    (True, Kind.TEXT, "true"),
    (["a", 1], Kind.TEXT, '["a",1]'),
    ("a\ud800", Kind.TEXT, "a\ufffd"),
    (Decimal("1.10"), Kind.TEXT, "1.10"),
    (timedelta(seconds=90), Kind.TEXT, "0:01:30"),
    (2**63, Kind.TEXT, "9223372036854775808"),
]


@pytest.mark.parametrize(("value", "kind", "expected"), CELLS)
def test_a_value_becomes_a_cell_of_its_column(value: Any, kind: Kind, expected: Any) -> None:
    found = cell(value, kind)
    assert found == expected
    assert type(found) is type(expected)


UNFIT = [
    ("1", Kind.INT),
    (1.5, Kind.INT),
    (2**63, Kind.INT),
    (1, Kind.BOOL),
    (True, Kind.INT),
    (True, Kind.FLOAT),
]


@pytest.mark.parametrize(("value", "kind"), UNFIT)
def test_a_value_that_a_column_cannot_hold_is_an_error(value: Any, kind: Kind) -> None:
    with pytest.raises(UnfitValueError):
        cell(value, kind)


def test_a_value_that_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(UnfitValueError):
        cell(object(), Kind.TEXT)


values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)


@given(st.lists(values, max_size=6), st.randoms())
def test_the_type_of_a_column_depends_on_no_order_and_holds_every_value(some: list[Any], random: Any) -> None:
    kind = kind_of_all(some)
    random.shuffle(some)
    assert kind_of_all(some) is kind
    for value in some:
        found = cell(value, kind or Kind.TEXT)
        assert found is None or kind_of(found) is kind


# What a schema declares


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 9},
        "score": {"type": "integer"},
        "share": {"type": "number"},
        "sure": {"type": "boolean"},
        "note": {"type": ["string", "null"]},
        "label": {"enum": ["a", "b", None]},
        "level": {"enum": [1, 2.5]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"$ref": "#/$defs/Place"},
        "mood": {"anyOf": [{"$ref": "#/$defs/Mood"}, {"type": "null"}]},
        "kind": {"const": 3},
        "any": {},
        "loop": {"$ref": "#/properties/loop"},
        "gone": {"$ref": "#/$defs/Nothing"},
    },
    "$defs": {
        "Place": {"type": "object", "properties": {"city": {"type": "string"}}},
        "Mood": {"enum": ["good", "bad"]},
    },
}


def test_a_schema_declares_the_types_of_its_properties() -> None:
    assert fields_of(SCHEMA) == {
        "name": Kind.TEXT,
        "score": Kind.INT,
        "share": Kind.FLOAT,
        "sure": Kind.BOOL,
        "note": Kind.TEXT,
        "label": Kind.TEXT,
        "level": Kind.FLOAT,
        "tags": Kind.TEXT,
        "place": Kind.TEXT,
        "mood": Kind.TEXT,
        "kind": Kind.INT,
    }


@pytest.mark.parametrize("schema", [None, True, {}, {"type": "array"}, {"properties": []}, {"$ref": "#"}])
def test_another_schema_declares_nothing(schema: Any) -> None:
    assert fields_of(schema) == {}


def test_a_root_that_is_a_reference_is_followed() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"properties": {"n": {"type": "integer"}}}}}
    assert fields_of(schema) == {"n": Kind.INT}


# What objects show


def test_fields_are_those_of_all_objects_in_their_order() -> None:
    fields = Fields()
    for value in ({"b": 1, "a": None}, {"c": "x"}, None, {"b": 2.5}):
        fields.see(value)
    assert list(fields.kinds.items()) == [("b", Kind.FLOAT), ("a", Kind.TEXT), ("c", Kind.TEXT)]
    assert not fields.is_mixed


@pytest.mark.parametrize("seen", [{"n": 3}, {"n": 3.0}, {"n": None}, {}, None])
def test_a_declared_type_stays_whatever_is_seen(seen: Any) -> None:
    fields = Fields()
    fields.declare("n", Kind.INT)
    fields.see(seen)
    assert fields.kinds == {"n": Kind.INT}


def test_a_value_that_contradicts_the_declaration_widens_the_type() -> None:
    fields = Fields()
    fields.declare("n", Kind.INT)
    fields.see({"n": 1.5})
    assert fields.kinds == {"n": Kind.FLOAT}


def test_a_value_that_is_no_object_has_no_fields() -> None:
    fields = Fields()
    fields.see([1, 2])
    assert (fields.kinds, fields.is_mixed) == ({}, True)


def test_more_fields_than_a_table_may_have_are_left_out() -> None:
    fields = Fields()
    for number in range(MAX_FIELDS):
        fields.see({f"f{number}": 1})
    assert not fields.left_out
    fields.see({"one more": 1, "f0": 2.5})
    assert (len(fields.kinds), fields.left_out, fields.kinds["f0"]) == (MAX_FIELDS, True, Kind.FLOAT)
