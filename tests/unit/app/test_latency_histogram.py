"""Percentiles from buckets: close to the true ones, whatever comes."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.app.run.histogram import Histogram

if TYPE_CHECKING:
    from batch.run_summary import Percentiles


def percentiles(durations: list[float]) -> Percentiles | None:
    histogram = Histogram()
    for seconds in durations:
        histogram.add(seconds)
    return histogram.percentiles()


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([]) is None


@given(st.lists(st.floats(0.001, 200_000), min_size=1))
def test_percentiles_are_off_by_three_hundredths_at_most(durations: list[float]) -> None:
    found = percentiles(durations)
    assert found is not None
    for share, seconds in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        true = sorted(durations)[ceil(share * len(durations)) - 1]
        assert seconds == pytest.approx(true, rel=0.03)


@given(st.lists(st.floats(0, 1e300), min_size=1))
def test_any_duration_is_taken(durations: list[float]) -> None:
    found = percentiles(durations)
    assert found is not None
    assert 0.001 <= found.p50 <= found.p90 <= found.p99 <= 400_000
