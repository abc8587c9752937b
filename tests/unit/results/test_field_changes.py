"""The fields in which two structured answers differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from batch.results.comparison.field_changes import MAX_DEPTH, field_changes, is_same

Changes = list[tuple[str, Any, Any]]

CASES: list[tuple[Any, Any, Changes]] = [
    ({"a": 1}, {"a": 1}, []),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ({"a": 1}, {"a": 1.0}, []),
    ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
    ({"a": 1}, {"a": True}, [("a", 1, True)]),
    ({"a": 0}, {"a": False}, [("a", 0, False)]),
    ({"a": None}, {}, [("a", None, UNSET)]),
    ({}, {"a": None}, [("a", UNSET, None)]),
    ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3, 4]}}, [("a.b[1]", 2, 3), ("a.b[2]", UNSET, 4)]),
    ({"a": [1]}, {"a": {"0": 1}}, [("a", [1], {"0": 1})]),
    ([1, 2], [1], [("[1]", 2, UNSET)]),
    ("x", "y", [("", "x", "y")]),
    (
        {"kept": 0, "gone": 1, "x": 2},
        {"new": 3, "x": 4, "kept": 0},
        [("gone", 1, UNSET), ("x", 2, 4), ("new", UNSET, 3)],
    ),
]


@pytest.mark.parametrize(("before", "after", "changes"), CASES, ids=range(len(CASES)))
def test_fields_that_differ(before: Any, after: Any, changes: Changes) -> None:
    assert [(each.path, each.before, each.after) for each in field_changes(before, after)] == changes
    assert is_same(before, after) == (not changes)


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def test_a_deep_value_is_compared_as_a_whole() -> None:
    (change,) = field_changes(nested(600, 1), nested(600, 2))
    assert change.path == "[0]" * MAX_DEPTH
    assert is_same(nested(600, 1), nested(600, 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_both_directions_find_the_same_fields(before: Any, after: Any) -> None:
    there = sorted((each.path, repr(each.before), repr(each.after)) for each in field_changes(before, after))
    back = sorted((each.path, repr(each.after), repr(each.before)) for each in field_changes(after, before))
    assert there == back
    assert is_same(before, before)
