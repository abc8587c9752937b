"""The line of the bar: nothing moves, failures are never cut off, and what is not known is not claimed."""

from __future__ import annotations

import io
import os
import re
import termios
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.display_width import display_width
from batch.events import (
    AttemptFailed,
    AttemptStarted,
    DownloadProgressed,
    HeldBack,
    Parked,
    PlanGrew,
    ResultsDurable,
    RunStarted,
    Snapshot,
    Tick,
)
from batch.progress.bar import BarReporter
from batch.progress.lines import LineReporter
from batch.progress.meter import Numbers, line
from batch.records import Failure, Request
from tests.support.results_support import failed, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator

EARLY = Numbers(0, 1000)
LATE = Numbers(731, 1000, 12, 4330, 12.34, 7, 64, 31, 1234.5, 0.1234)
OVER = Numbers(1000, 1000, 1000, 0, 123456, 9999, 9999, 123456, 1e7, 123.456)

LINES = [
    (79, EARLY, "  0%|                       |    0/1000  failed 0     ETA  -:--:--   0.00 req/s"),
    (79, LATE, " 73%|████████████████▊      |  731/1000  failed 12    ETA  1:12:10   12.3 req/s"),
    (79, OVER, "100%|███████████████████████| 1000/1000  failed 1000  ETA  0:00:00   123k req/s"),
    (
        119,
        LATE,
        (
            " 73%|██████████▉    |  731/1000  failed 12    ETA  1:12:10   12.3 req/s  in flight    7/64     "
            "1234 tok/s  retries 31  "
        ),
    ),
    (39, LATE, " 73%|███████▎  |  731/1000  failed 12  "),
]


@pytest.mark.parametrize(("width", "numbers", "shown"), LINES)
def test_fields_are_dropped_from_the_right(width: int, numbers: Numbers, shown: str) -> None:
    assert line(numbers, width) == shown.ljust(width)


amounts = st.integers(0, 10**7)
rates = st.floats(0, 1e8)


@st.composite
def numbers_of(draw: st.DrawFn, total: int) -> Numbers:
    done = draw(st.integers(0, total))
    return Numbers(
        done,
        total,
        draw(st.integers(0, done)),
        draw(st.none() | st.floats(0, 1e9)),
        draw(rates),
        draw(amounts),
        draw(st.none() | amounts),
        draw(amounts),
        draw(rates),
        draw(st.none() | st.floats(1e-9, 1e9)),
        draw(st.lists(st.sampled_from(["held back by 429s", "a parked for this run: auth", "日本 out"]))),
    )


@given(st.data(), st.sampled_from([1, 10, 999, 1000, 123_456, 10_000_000]), st.integers(60, 240))
def test_every_place_depends_on_the_width_and_the_total_alone(
    data: st.DataObject, total: int, width: int
) -> None:
    first, second = (line(data.draw(numbers_of(total)), width) for _ in range(2))
    for each in (first, second):
        assert display_width(each) == width
        cells = re.match(r"[ \d]{3}%\|(.*?)\| ", each)
        assert cells is not None
        assert len(cells[1]) >= 10
        assert f"/{total}  failed " in each
    for label in ("|", "failed ", "ETA ", " req/s", "in flight "):
        assert first.find(label) == second.find(label), label


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (9.99, " 9.99"),
        (9.996, " 10.0"),
        (99.96, "  100"),
        (9999.6, "10.0k"),
        (99_960, "  99k"),
        (9_999_999, " 9.9M"),
    ],
)
def test_rates_keep_their_width(number: float, shown: str) -> None:
    assert f"{shown} req/s  " in line(Numbers(0, 10, requests=number), 119)


@given(st.data(), st.integers(0, 240))
def test_no_line_is_wider_than_the_terminal(data: st.DataObject, width: int) -> None:
    assert display_width(line(data.draw(numbers_of(1000)), width)) == width


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (79, "12.3 req/s"),
        (101, "7/64     1234 tok/s"),
        (119, "in flight    7/64    held back by 429s, a par…"),
        (199, "cost 0.1234     held back by 429s, a parked for this run: auth"),
    ],
)
def test_notes_take_the_place_of_the_last_fields_and_move_none(width: int, end: str) -> None:
    noted = Numbers(
        731,
        1000,
        12,
        4330,
        12.34,
        7,
        64,
        31,
        1234.5,
        0.1234,
        ["held back by 429s", "a parked for this run: auth"],
    )
    assert line(noted, width).rstrip().endswith(end)
    plain, shown = line(LATE, width), line(noted, width)
    kept = shown.index("in flight") if "in flight" in shown else width
    assert shown[:kept] == plain[:kept]


def test_without_a_total_there_is_no_bar_and_no_eta() -> None:
    shown = line(Numbers(731, None, 12, None, 12.34, 7, 64, 31, 1234.5), 79)
    assert shown.rstrip() == "    731 done  failed 12        12.3 req/s  in flight    7/64     1234 tok/s"


# On a terminal


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def frames(columns: int, *, is_whole: bool = True, total: int = 1000, number: int = 100) -> list[str]:
    """What the bar draws of a rough run on a pseudo-terminal, a frame a second."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    random, clock = Random(columns), Clock()
    with open(ours, "rb", buffering=0) as screen, open(theirs, "w", encoding="utf-8") as stream:
        os.set_blocking(ours, False)
        reporter = BarReporter(stream, colour=False, clock=clock)
        reporter.observe(RunStarted(total if is_whole else 1, 0, is_whole=is_whole))
        shown = b"".join(_read(screen))
        for second in range(number):
            _rough_second(reporter, second, random)
            if not is_whole:
                reporter.observe(PlanGrew(10 * (second + 1), 0))
            clock.now += 1
            reporter.observe(Tick(_snapshot(random)))
            shown += b"".join(_read(screen))
        if not is_whole:
            reporter.observe(PlanGrew(total, 0, is_whole=True))
        reporter.close()
        shown += b"".join(_read(screen))
    text = shown.decode().replace("\r\n", "\n")
    drawn = [part for row in text.split("\n") for part in row.split("\r")]
    return [each for each in drawn if "req/s" in each]


def _rough_second(reporter: BarReporter, second: int, random: Random) -> None:
    for part in range(random.randrange(30)):
        name = f"{second}/{part}"
        reporter.observe(AttemptStarted(Request(name, "0" * 32, "m", "m", ())))
        if random.random() < 0.1:
            reporter.observe(
                AttemptFailed(Request(name, "0" * 32, "m", "m", ()), Failure("http_503", "Busy"), 1.0)
            )
            continue
        fails = random.random() < 0.2
        reporter.observe(ResultsDurable([failed(name, "http_500") if fails else succeeded(name)]))


def _snapshot(random: Random) -> Snapshot:
    held_back = HeldBack(64, "http_429") if random.random() < 0.3 else None
    parked = (Parked("m", "http_429", random.random() * 1000),) if random.random() < 0.3 else ()
    allowed = random.randrange(1, 65)
    return Snapshot(
        random.randrange(allowed + 1), allowed, random.randrange(9), parked=parked, held_back=held_back
    )


def _read(screen: io.FileIO) -> Iterator[bytes]:
    with suppress(OSError):
        while piece := screen.read(1 << 16):
            yield piece


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_nothing_moves_in_a_hundred_frames(columns: int) -> None:
    drawn = frames(columns)
    assert len(drawn) >= 100
    assert {display_width(each) for each in drawn} == {columns - 1}
    for label in ("|", "/1000 ", "failed ", "ETA ", "req/s", "in flight "):
        assert len({each.find(label) for each in drawn}) == 1, label
    bars = {each.split("|")[1] for each in drawn}
    assert len({len(bar) for bar in bars}) == 1
    assert all(len(bar) >= 10 for bar in bars)
    assert len({re.search(r"failed (\d+)", each)[1] for each in drawn}) > 50  # type: ignore[index]
    if columns > 100:
        assert sum("held back by 429s" in each for each in drawn) > 10


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_job_that_is_read_as_it_runs_shows_its_total_at_the_end(columns: int) -> None:
    drawn = frames(columns, is_whole=False)
    assert {display_width(each) for each in drawn} == {columns - 1}
    before, after = drawn[:-2], drawn[-2:]  # both drawn when the run ends
    assert len(before) >= 100
    assert not any("ETA" in each or "%" in each or "|" in each for each in before)
    for label in (" done", "failed ", "req/s", "in flight "):
        assert len({each.find(label) for each in before}) == 1, label
    assert re.match(r"[ \d]{3}%\|.{10,}\| +\d+/1000  failed ", after[0])
    assert after[0] == after[1]


def test_a_terminal_without_a_size_shows_the_bar() -> None:
    drawn = frames(0, number=3)
    assert {display_width(each) for each in drawn} == {79}


def test_lines_of_such_a_job_claim_no_total_and_no_eta() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = LineReporter(stream, stats=60, clock=clock)
    reporter.observe(RunStarted(3, 1, is_whole=False))
    reporter.observe(PlanGrew(500, 2))
    reporter.observe(AttemptStarted(Request("a", "0" * 32, "m", "m", ())))
    reporter.observe(ResultsDurable([succeeded("a")]))
    clock.now += 60
    reporter.observe(Tick(None))
    assert " 3 done, failed 0, in flight 0, retries 0, " in stream.getvalue()
    assert "ETA" not in stream.getvalue()
    reporter.observe(PlanGrew(10, 2, is_whole=True))
    reporter.close()
    assert " 3/10 done, failed 0, " in stream.getvalue().splitlines()[-1]
    assert "ETA" in stream.getvalue().splitlines()[-1]


def test_a_download_has_the_line_to_itself() -> None:
    stream = io.StringIO()
    reporter = BarReporter(stream, colour=False, clock=Clock())
    reporter.observe(RunStarted(10, 0))
    reporter.observe(DownloadProgressed(5 * 10**6, 93 * 10**6))
    assert stream.getvalue().split("\r")[-1].rstrip() == "downloading the model's weights: 5 of 93 MB"
    reporter.observe(AttemptStarted(Request("a", "0" * 32, "m", "m", ())))
    reporter.close()
    assert "  0/10  failed 0" in stream.getvalue().split("\r")[-1]
