"""Which of several lines of one id a merged output has: it depends on the lines, not on their order."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.results.merged_lines import MergedLines
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch.records import Result

OLD, NEW = "a" * 32, "b" * 32
"""Fingerprints."""


def line(words: str) -> Result:
    """A line of the id ``x``: ``+`` succeeded or ``-`` failed, its fingerprint, and the minute of its end."""
    sign, mark, minute = words[0], words[1], words[2]
    fingerprint = {"O": OLD, "N": NEW}[mark]
    result = succeeded("x", fingerprint=fingerprint) if sign == "+" else failed("x", fingerprint=fingerprint)
    return replace(result, completed_at=f"2026-11-29T06:0{minute}:00.000Z")


def chosen(lines: Sequence[Result]) -> tuple[list[Result], list[Result], int]:
    """The lines that count, the superseded answers, and how many lines that count have succeeded."""
    merged = MergedLines()
    for each in lines:
        merged.add(each)
    found = merged.choose()
    return [lines[at] for at in found.lines], [lines[at] for at in found.superseded], found.succeeded


RULES = [
    ("+N1", "+N1", ""),
    ("-N1 +N2", "+N2", ""),  # sent again, with success
    ("+N1 -N2", "+N1", ""),  # a success beats a failure of the same request
    ("-N1 -N2", "-N2", ""),
    ("+N1 +N2", "+N2", "+N1"),  # paid twice: the newest counts, the other is kept
    ("+O1 +N2", "+N2", "+O1"),  # the request has changed
    ("+O1 -N2", "-N2", "+O1"),  # what was asked last has failed
    ("-O1 +N2", "+N2", ""),
    ("+N1 +N1", "+N1", ""),  # a copy
    ("+O1 -N2 -O3", "+O1", ""),  # the request was changed back
    ("+O1 +N2 -O3", "+O1", "+N2"),
    ("+O1 +N2 +N3 -N4", "+N3", "+O1 +N2"),
]


@pytest.mark.parametrize(("lines", "counts", "kept"), RULES)
def test_the_line_that_counts(lines: str, counts: str, kept: str) -> None:
    for order in permutations(map(line, lines.split())):
        winners, superseded, successes = chosen(order)
        assert winners == [line(counts)]
        assert superseded == [line(each) for each in kept.split()]
        assert successes == (counts[0] == "+")


def test_lines_are_sorted_by_their_times() -> None:
    lines = [replace(line(f"+N{minute}"), id=name) for name, minute in (("a", 3), ("b", 1), ("c", 2))]
    assert [result.id for result in chosen(lines)[0]] == ["b", "c", "a"]


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z"])
def test_a_time_that_cannot_be_read_is_the_oldest(text: str) -> None:
    odd = replace(line("+N1"), completed_at=text)
    assert chosen([odd, line("+N0")])[0] == [line("+N0")]


def test_times_are_compared_across_zones_and_forms() -> None:
    early = replace(line("+N1"), completed_at="2026-11-29T07:00:00+02:00")  # five o'clock UTC
    late = replace(line("+N1"), completed_at="2026-11-29T05:00:00.001")
    assert chosen([late, early])[0] == [late]


def test_a_success_that_was_broken_off_is_a_failure() -> None:
    broken = replace(line("+N2"), finish_reason="error")
    assert chosen([line("+N1"), broken])[0] == [line("+N1")]


@given(
    st.lists(
        st.builds(
            lambda name, words: replace(line("".join(words)), id=name),
            st.sampled_from(["x", "y", "z"]),
            st.tuples(st.sampled_from("+-"), st.sampled_from("ON"), st.sampled_from("123")),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_gives_the_same(lines: list[Result], random: object) -> None:
    shuffled = sorted(lines, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert chosen(shuffled) == chosen(lines)
    counts = chosen(lines)[0]
    assert sorted(result.id for result in counts) == sorted({result.id for result in lines})
    assert chosen(counts)[0] == counts
