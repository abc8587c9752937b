"""The course of a run as drawings: paths for SVG and the labels around them, without colors or markup.

Each panel is 1000 units wide and ``HEIGHT`` high, and is stretched to the width of the page.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from batch.report.numbers import decimal, duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch.results.run_record import ParkedInterval, Timeline

WIDTH = 1000
HEIGHT = 64
MAX_CODES = 4
"""Error codes with a color of their own; the others share one."""

_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
"""What the upper edge of a panel may be, times a power of ten."""

Values: TypeAlias = "Sequence[float | None]"


class Mark(Struct, frozen=True):
    """One path. ``style`` names its class in the style sheet."""

    style: str
    path: str


class Series(Struct, frozen=True):
    """The values of a legend's entry, for reading them off: one per bin."""

    name: str
    style: str
    values: Values
    unit: str = ""


class Panel(Struct, frozen=True):
    """One drawing. ``top`` is the label of its upper edge; its lower edge is zero."""

    title: str
    top: str
    marks: Sequence[Mark]
    series: Sequence[Series]


class Band(Struct, frozen=True):
    """A part of the time in which an endpoint was parked, in the units of the drawing."""

    x: float
    width: float
    label: str


class Chart(Struct, frozen=True):
    """The panels of a run, which share their time axis. It is divided into bins of ``width`` seconds."""

    panels: Sequence[Panel]
    bands: Sequence[Band]
    ticks: Sequence[str]
    width: float

    @property
    def readings(self) -> dict[str, object]:
        """What the page's script shows for the bin under the pointer."""
        return {"width": self.width, "series": [each for panel in self.panels for each in panel.series]}


def draw(timeline: Timeline) -> Chart | None:
    """Draw a timeline; ``None`` if it has no bins or its lists do not have one number per bin."""
    if not timeline.bins or any(len(values) != timeline.bins for values in _drawn(timeline)):
        return None
    panels = [_throughput(timeline), _in_flight(timeline), *_failures(timeline), *_latency(timeline)]
    seconds = timeline.bins * timeline.width
    return Chart(
        panels=panels,
        bands=[_band(parked, seconds) for parked in timeline.parked if parked.start < seconds],
        ticks=[duration(seconds * part / 4) if part else "0 s" for part in range(5)],
        width=timeline.width,
    )


def _drawn(timeline: Timeline) -> Iterable[Values]:
    yield from (timeline.succeeded, timeline.in_flight, timeline.limit)
    yield from (timeline.latency.p50, timeline.latency.p90)
    yield from timeline.failed_attempts.values()


def _throughput(timeline: Timeline) -> Panel:
    rates = [number / timeline.width for number in timeline.succeeded]
    top = _top([rates])
    return Panel(
        "Succeeded",
        f"{decimal(top)} / s",
        [Mark("area", area(rates, top)), Mark("curve", line(rates, top))],
        [Series("succeeded", "curve", rates, "/ s")],
    )


def _in_flight(timeline: Timeline) -> Panel:
    top = _top([timeline.in_flight, timeline.limit])
    return Panel(
        "In flight",
        decimal(top),
        [
            Mark("area", area(timeline.in_flight, top)),
            Mark("curve", line(timeline.in_flight, top)),
            Mark("limit", line(timeline.limit, top)),
        ],
        [
            Series("in flight", "curve", timeline.in_flight),
            Series("limit", "limit", timeline.limit),
        ],
    )


def _failures(timeline: Timeline) -> list[Panel]:
    """Stack the failed attempts by code, the most frequent at the bottom; no panel if there are none."""
    if not any(map(any, timeline.failed_attempts.values())):
        return []
    codes = sorted(timeline.failed_attempts.items(), key=lambda item: -sum(item[1]))
    named, others = codes[:MAX_CODES], codes[MAX_CODES:]
    if others:
        rest = [sum(numbers) for numbers in zip(*(values for _, values in others), strict=True)]
        named = [*named, (f"{len(others)} other codes", rest)]
    below: list[float] = [0.0] * timeline.bins
    top = _top([[sum(numbers) for numbers in zip(*(values for _, values in named), strict=True)]])
    marks, series = [], []
    for number, (code, values) in enumerate(named):
        above = [low + value for low, value in zip(below, values, strict=True)]
        marks.append(Mark(f"failure-{number}", between(below, above, top)))
        series.append(Series(code, f"failure-{number}", values))
        below = above
    return [Panel("Failed attempts", decimal(top), marks, series)]


def _latency(timeline: Timeline) -> list[Panel]:
    median, slow = timeline.latency.p50, timeline.latency.p90
    if not any(value is not None for value in median):
        return []
    top = _top([median, slow])
    return [
        Panel(
            "Latency",
            duration(top),
            [Mark("slow", line(slow, top)), Mark("curve", line(median, top))],
            [Series("median", "curve", median, "s"), Series("90th percentile", "slow", slow, "s")],
        )
    ]


def _band(parked: ParkedInterval, seconds: float) -> Band:
    start, end = max(0.0, parked.start), min(parked.end, seconds)
    state = "being probed" if parked.is_open else "parked"
    label = f"{parked.endpoint} {state} from {duration(start)} to {duration(end)}: {parked.code}"
    return Band(_round(WIDTH * start / seconds), max(2.0, _round(WIDTH * (end - start) / seconds)), label)


def _top(series: Sequence[Values]) -> float:
    """Return a round number that no value exceeds."""
    highest = max((value for values in series for value in values if value is not None), default=0.0)
    if highest <= 0:
        return 1.0
    power: float = 1e-20
    while power * 10 <= highest * (1 + 1e-9):
        power *= 10
    top = next((power * step for step in _STEPS if power * step >= highest * (1 - 1e-9)), 10 * power)
    return float(f"{top:.6g}")


def line(values: Values, top: float) -> str:
    """Return the values as steps, with a gap where there is none."""
    return " ".join(
        " ".join([f"M{x:g} {_y(run[0], top)}", *_steps(x, run, top, width)])
        for x, run, width in _runs(values)
    )


def area(values: Values, top: float) -> str:
    """Return the area below the steps."""
    return " ".join(
        " ".join(
            [
                f"M{x:g} {HEIGHT}V{_y(run[0], top)}",
                *_steps(x, run, top, width),
                f"V{HEIGHT}Z",
            ]
        )
        for x, run, width in _runs(values)
    )


def between(low: Sequence[float], high: Sequence[float], top: float) -> str:
    """Return a rectangle for each bin in which ``high`` exceeds ``low``."""
    width = WIDTH / len(low)
    return "".join(
        f"M{_round(number * width):g} {_y(below, top)}H{_round((number + 1) * width):g}V{_y(above, top)}"
        f"H{_round(number * width):g}Z"
        for number, (below, above) in enumerate(zip(low, high, strict=True))
        if above > below
    )


def _runs(values: Values) -> list[tuple[float, list[float], float]]:
    """Return the parts without gaps: where each begins, its values, and the width of a bin."""
    width = WIDTH / len(values)
    runs: list[tuple[float, list[float], float]] = []
    was_gap = True
    for number, value in enumerate(values):
        if value is None:
            was_gap = True
            continue
        if was_gap:
            runs.append((_round(number * width), [], width))
        runs[-1][1].append(value)
        was_gap = False
    return runs


def _steps(x: float, run: Sequence[float], top: float, width: float) -> list[str]:
    parts = []
    for number, (before, after) in enumerate(pairwise([*run, run[-1]]), 1):
        parts.append(f"H{_round(x + number * width):g}")
        if after != before:
            parts.append(f"V{_y(after, top)}")
    return parts


def _y(value: float, top: float) -> str:
    return f"{_round(HEIGHT - min(value / top, 1.0) * HEIGHT):g}"


def _round(number: float) -> float:
    return round(number, 1)
