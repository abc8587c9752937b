"""The paths of a timeline, typed by hand."""

from __future__ import annotations

import pytest

from batch.report.chart import area, between, draw, line
from batch.results.run_record import ParkedInterval, Quantiles, Timeline

TIMELINE = Timeline(
    width=2.0,
    bins=4,
    succeeded=[0, 3, 5, 1],
    failed={"http_500": [0, 0, 1, 0]},
    attempts=[4, 4, 6, 1],
    failed_attempts={"http_429": [0, 2, 0, 0], "http_500": [0, 1, 1, 0]},
    latency=Quantiles(p50=[None, 0.8, 0.9, 0.7], p90=[None, 0.9, 1.1, 0.7], p99=[None, 0.9, 1.1, 0.7]),
    in_flight=[4.0, 3.5, 4.0, None],
    limit=[4.0, 4.0, 2.5, None],
    parked=[ParkedInterval("m2", "connect", is_open=True, start=4.0, end=6.0)],
)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ([1, 1, 1, 1], "M0 0 H250 H500 H750 H1000"),
        ([0, 1], "M0 64 H500 V0 H1000"),
        ([None, 0.5, None, 1], "M250 32 H500 M750 0 H1000"),
        ([None, None], ""),
        ([2.0], "M0 0 H1000"),  # a value above the upper edge stays inside the panel
    ],
)
def test_a_line_has_steps_and_gaps(values: list[float | None], path: str) -> None:
    assert line(values, 1.0) == path


def test_an_area_ends_at_the_lower_edge() -> None:
    assert area([1, None, 0.5], 1.0) == "M0 64V0 H333.3 V64Z M666.7 64V32 H1000 V64Z"


def test_failures_are_stacked() -> None:
    assert between([0, 1], [1, 1], 2.0) == "M0 64H500V32H0Z"
    assert between([1, 1], [1, 2], 2.0) == "M500 32H1000V0H500Z"


def test_a_timeline_has_its_panels_in_order() -> None:
    chart = draw(TIMELINE)
    assert chart is not None
    assert [(panel.title, panel.top) for panel in chart.panels] == [
        ("Succeeded", "2.5 / s"),
        ("In flight", "4"),
        ("Failed attempts", "3"),
        ("Latency", "1.20 s"),
    ]
    assert chart.ticks == ["0 s", "2.00 s", "4.00 s", "6.00 s", "8.00 s"]
    assert [series.name for series in chart.panels[2].series] == ["http_429", "http_500"]


def test_a_parked_endpoint_is_a_band() -> None:
    chart = draw(TIMELINE)
    assert chart is not None
    (band,) = chart.bands
    assert (band.x, band.width) == (500.0, 250.0)
    assert band.label == "m2 being probed from 4.00 s to 6.00 s: connect"


def test_codes_without_a_color_share_one() -> None:
    codes = {f"http_5{number:02}": [number + 1] for number in range(7)}
    chart = draw(
        Timeline(
            bins=1,
            succeeded=[0],
            failed_attempts=codes,
            in_flight=[1.0],
            limit=[1.0],
            latency=Quantiles([None], [None], [None]),
        )
    )
    assert chart is not None
    failures = chart.panels[2]
    assert [series.name for series in failures.series] == [
        "http_506", "http_505", "http_504", "http_503", "3 other codes",
    ]  # fmt: skip
    assert failures.series[-1].values == [6]
    assert len(chart.panels) == 3  # no latency without a success


@pytest.mark.parametrize(
    "timeline",
    [
        Timeline(),
        Timeline(bins=2, succeeded=[1], in_flight=[1.0, 1.0], limit=[1.0, 1.0]),
        Timeline(bins=1, succeeded=[1], in_flight=[1.0], limit=[1.0], failed_attempts={"x": []}),
    ],
)
def test_an_empty_or_damaged_timeline_is_not_drawn(timeline: Timeline) -> None:
    assert draw(timeline) is None
