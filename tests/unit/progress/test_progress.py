"""What a person sees of a run: on a terminal, in a log, and in a cron mail."""

from __future__ import annotations

import io
import os
import re
import termios
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.events import (
    UNPROVEN,
    AttemptFailed,
    AttemptStarted,
    DownloadProgressed,
    HeldBack,
    Level,
    Notice,
    Parked,
    ResultsDurable,
    RunStarted,
    Snapshot,
    Tick,
)
from batch.progress import formatting
from batch.progress.bar import BarReporter
from batch.progress.lines import LineReporter
from batch.records import Failure, Request, Usage
from tests.support.results_support import failed, hostile_text, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    from batch.progress.base import ProgressObserver
    from batch.protocols import Observer

ESC = "\x1b"


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def noon() -> datetime:
    return datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def request(request_id: str) -> Request:
    return Request(request_id, "0" * 32, "summary", "summary", ())


def line_reporter(stream: io.StringIO, clock: Clock, *, quiet: bool = False) -> LineReporter:
    return LineReporter(stream, stats=60, quiet=quiet, clock=clock, wall=noon)


def bar_reporter(stream: io.StringIO, clock: Clock) -> BarReporter:
    return BarReporter(stream, colour=False, clock=clock)


def rough_night(reporter: Observer, clock: Clock) -> None:
    """Three requests in 100 seconds: one succeeds, one after a retry, one not at all."""
    for request_id in ("a", "b", "c"):
        reporter.observe(AttemptStarted(request(request_id)))
    reporter.observe(ResultsDurable([succeeded("a")]))
    reporter.observe(AttemptFailed(request("b"), Failure("http_503", "Busy"), 2.5))
    reporter.observe(AttemptFailed(request("c"), Failure("bad_request", "No"), None))
    reporter.observe(ResultsDurable([failed("c", "bad_request", message="No")]))
    clock.now += 50
    reporter.observe(Tick(None))
    reporter.observe(AttemptStarted(request("b")))
    clock.now += 50
    reporter.observe(ResultsDurable([succeeded("b")]))


# Lines


def test_a_log_has_a_line_every_minute_and_trouble_at_once() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    reporter.observe(RunStarted(10, 4))
    rough_night(reporter, clock)
    clock.now += 60
    reporter.observe(Tick(None))
    reporter.close()
    reporter.close()
    numbers = "2026-11-22T12:00:00Z 7/10 done, failed 1, in flight 0, retries 1"
    assert stream.getvalue().splitlines() == [
        "2026-11-22T12:00:00Z b: http_503: Busy; retrying in 2.5 s",
        "2026-11-22T12:00:00Z c failed: bad_request: No",
        f"{numbers}, 1.8 requests/min, 0 tokens/s, ETA 0:01:40",
        f"{numbers}, 1.1 requests/min, 0 tokens/s, ETA 0:02:40",
        f"{numbers}, 1.1 requests/min, 0 tokens/s, ETA 0:02:40",
        "2026-11-22T12:00:00Z 1 failed: bad_request 1",
    ]


def test_a_quiet_run_shows_only_warnings_because_its_end_names_new_failures() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock, quiet=True)
    reporter.observe(RunStarted(3, 0))
    reporter.observe(DownloadProgressed(1, 2))
    rough_night(reporter, clock)
    reporter.observe(Notice("results.jsonl: the last line was partial"))
    reporter.close()
    assert stream.getvalue().splitlines() == [
        "2026-11-22T12:00:00Z results.jsonl: the last line was partial",
    ]


def test_a_quiet_run_without_trouble_is_silent() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock, quiet=True)
    reporter.observe(RunStarted(2, 0))
    for request_id in ("a", "b"):
        reporter.observe(AttemptStarted(request(request_id)))
        clock.now += 100
        reporter.observe(ResultsDurable([succeeded(request_id)]))
    reporter.observe(AttemptFailed(request("a"), Failure("http_503", "Busy"), 1.0))
    reporter.observe(Notice("summary is parked for 10 s: Busy", Level.INFO))
    reporter.close()
    assert stream.getvalue() == ""


def test_information_is_shown_unless_the_run_is_quiet() -> None:
    stream = io.StringIO()
    reporter = line_reporter(stream, Clock())
    reporter.observe(Notice("summary is parked for 10 s: Busy", Level.INFO))
    assert stream.getvalue() == "2026-11-22T12:00:00Z summary is parked for 10 s: Busy\n"


def test_only_the_first_failure_of_each_kind_is_shown() -> None:
    stream = io.StringIO()
    reporter = line_reporter(stream, Clock())
    reporter.observe(RunStarted(100, 0))
    for number in range(50):
        reporter.observe(ResultsDurable([failed(f"a{number}", "http_500")]))
        reporter.observe(ResultsDurable([failed(f"b{number}", "truncated")]))
    reporter.close()
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "a0 failed: http_500: Internal error",
        "b0 failed: truncated: Internal error",
        "100 failed: http_500 50, truncated 50",
    ]


def test_speed_is_that_of_the_last_minute() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    reporter.observe(RunStarted(10_000, 0))
    for second in range(600):
        for part in range(0 if second < 300 else 2):
            reporter.observe(ResultsDurable([succeeded(f"{second}/{part}")]))
        clock.now += 1
        reporter.observe(Tick(None))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].endswith(
        "0/10000 done, failed 0, in flight 0, retries 0, 0.0 requests/min, 0 tokens/s, ETA unknown"
    )
    assert lines[-1].endswith("retries 0, 120.0 requests/min, 10 tokens/s, ETA 1:18:20")


def test_tokens_of_a_repeated_attempt_were_made_too() -> None:
    reporter = line_reporter(io.StringIO(), Clock())
    reporter.observe(AttemptFailed(request("a"), Failure("truncated", "cut", usage=Usage(3, 40, 43)), 1.0))
    reporter.observe(ResultsDurable([succeeded("a")]))
    assert reporter.counters.tokens == 45


def test_a_download_is_reported_at_its_beginning_and_its_end() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    for megabytes in range(94):
        reporter.observe(DownloadProgressed(megabytes * 10**6, 93 * 10**6))
    assert stream.getvalue().splitlines() == [
        "2026-11-22T12:00:00Z downloading the model's weights: 0 of 93 MB",
        "2026-11-22T12:00:00Z downloading the model's weights: 93 of 93 MB",
    ]


# The engine


STANDING = Snapshot(
    in_flight=3,
    allowed=8,
    waiting=2,
    is_limited=True,
    parked=(
        Parked("a", "http_429", 280.4),
        Parked("b", "auth", None),
        Parked("c", "connect", 1700.0, is_open=True),
    ),
)
IN_WORDS = [
    "in flight 3 of 8 (held back by limits), retries 1 (2 waiting)",
    "a parked for 280 s: http_429, b parked for this run: auth, c out for 1700 s at most: connect",
]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (UNPROVEN, "in flight 1 of 6: endpoint not yet proven"),
        ("http_429", "in flight 1 of 6: held back by 429s"),
        ("http_503", "in flight 1 of 6: held back by 503s"),
        ("idle_timeout", "in flight 1 of 6: held back by idle timeouts"),
        ("api_error", "in flight 1 of 6: held back by api errors"),
    ],
)
def test_both_say_why_fewer_are_in_flight_than_the_job_allows(reason: str, words: str) -> None:
    snapshot = Snapshot(in_flight=1, allowed=1, held_back=HeldBack(6, reason))
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    reporter.observe(RunStarted(10, 4))
    clock.now += 60
    reporter.observe(Tick(snapshot))
    assert f"{words}, retries 0" in stream.getvalue()
    stream = io.StringIO()
    bar = bar_reporter(stream, clock)
    bar.observe(RunStarted(10, 4))
    clock.now += 60
    bar.observe(Tick(snapshot))
    bar.close()
    assert "in flight    1/1 " in last_bar(stream.getvalue())
    assert last_bar(stream.getvalue()).endswith(f"  {words.partition(': ')[2]}")


def test_a_line_shows_the_state_of_the_engine() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    reporter.observe(RunStarted(10, 4))
    reporter.observe(AttemptFailed(request("a"), Failure("http_503", "Busy"), 2.5))
    clock.now += 60
    reporter.observe(Tick(STANDING))
    assert stream.getvalue().splitlines()[-1] == (
        f"2026-11-22T12:00:00Z 4/10 done, failed 0, {IN_WORDS[0]}, 0.0 requests/min, 0 tokens/s, "
        f"ETA unknown, {IN_WORDS[1]}"
    )
    reporter.observe(Tick(None))
    reporter.observe(AttemptStarted(request("a")))
    reporter.close()
    assert "4/10 done, failed 0, in flight 1, retries 1, 0.0" in stream.getvalue().splitlines()[-1]


def test_the_bar_shows_the_state_of_the_engine() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = bar_reporter(stream, clock)
    reporter.observe(RunStarted(10, 4))
    reporter.observe(AttemptFailed(request("a"), Failure("http_503", "Busy"), 2.5))
    clock.now += 1
    reporter.observe(Tick(STANDING))
    reporter.close()
    shown = last_bar(stream.getvalue())
    assert " 4/10  failed 0   ETA  -:--:--   0.00 req/s  in flight    3/8  " in shown
    assert shown.endswith(f"  retries 1                     held back by limits, {IN_WORDS[1]}")


def test_many_parked_endpoints_are_counted_and_their_names_are_harmless() -> None:
    parked = tuple(Parked(f"{ESC}[2J{number}", f"{ESC}x", 5.0) for number in range(7))
    text = ", ".join(formatting.failure_counts(Snapshot(parked=parked)))
    assert ESC not in text
    assert text.endswith("4 more parked")


def test_what_results_cost_is_shown_where_it_is_known() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = line_reporter(stream, clock)
    reporter.observe(RunStarted(3, 0))
    for name, cost in (("a", 0.25), ("b", None), ("c", 0.5)):
        reporter.observe(AttemptStarted(request(name)))
        reporter.observe(ResultsDurable([replace(succeeded(name), cost=cost)]))
    reporter.close()
    assert "tokens/s, cost 0.75, ETA 0:00:00" in stream.getvalue()


# The bar


def last_bar(output: str) -> str:
    """What stands on the bar's line in the end."""
    return output.rstrip("\n").split("\n")[-1].split("\r")[-1].rstrip()


def test_the_bar_shows_every_number() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = bar_reporter(stream, clock)
    reporter.observe(RunStarted(10, 4))
    rough_night(reporter, clock)
    reporter.observe(AttemptStarted(request("d")))
    reporter.close()
    reporter.close()
    assert last_bar(stream.getvalue()) == (
        " 70%|#######   |  7/10  failed 1   ETA  0:01:40   0.03 req/s  in flight    1/?      0.10 tok/s  "
        "retries 1"
    )


def test_the_bars_rate_and_eta_are_those_of_the_last_minute() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = bar_reporter(stream, clock)
    reporter.observe(RunStarted(1000, 0))
    for number in range(100):
        reporter.observe(ResultsDurable([succeeded(str(number))]))
    for _ in range(10):
        clock.now += 1
        reporter.observe(Tick(None))
    assert "  ETA  0:01:30   10.0 req/s  " in last_bar(stream.getvalue())
    reporter.close()


def test_the_bar_is_refreshed_once_a_second() -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = bar_reporter(stream, clock)
    reporter.observe(RunStarted(10, 0))
    reporter.observe(AttemptStarted(request("a")))
    reporter.observe(Tick(None))
    assert "in flight    1/" not in stream.getvalue()
    clock.now += 1
    for _ in range(100):
        reporter.observe(Tick(None))
    assert stream.getvalue().count("in flight    1/") == 1
    reporter.close()


def test_trouble_before_the_start_is_shown_too() -> None:
    stream = io.StringIO()
    reporter = bar_reporter(stream, Clock())
    reporter.observe(Notice("the last line was partial"))
    reporter.close()
    assert stream.getvalue() == "the last line was partial\n"


def test_the_bar_starts_no_thread() -> None:
    before = threading.active_count()
    reporter = bar_reporter(io.StringIO(), Clock())
    reporter.observe(RunStarted(10, 0))
    assert threading.active_count() == before
    reporter.close()


def seen_on_a_terminal(act: Callable[[BarReporter, Clock], None], *, colour: bool) -> str:
    """What a reporter on a real pseudo-terminal of 100 columns sends to it."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    clock = Clock()
    with open(master, "rb", buffering=0) as screen:
        with open(slave, "w", encoding="utf-8") as stream:
            reporter = BarReporter(stream, colour=colour, clock=clock)
            reporter.observe(RunStarted(10, 4))
            act(reporter, clock)
            reporter.close()
        return b"".join(read_all(screen)).decode("utf-8")


def read_all(screen: FileIO) -> Iterator[bytes]:
    """Everything that the terminal was sent; with its last writer gone, the next read is an error."""
    with suppress(OSError):
        while piece := screen.read(1 << 16):
            yield piece


def test_a_terminal_shows_trouble_above_the_bar() -> None:
    output = seen_on_a_terminal(rough_night, colour=False)
    lines = [line.split("\r")[-1].rstrip() for line in output.replace("\r\n", "\n").rstrip("\n").split("\n")]
    assert lines[:2] == ["b: http_503: Busy; retrying in 2.5 s", "c failed: bad_request: No"]
    assert re.match(r" 70%\|[█▏▎▍▌▋▊▉ ]+\|  7/10  failed 1 ", lines[2])
    assert len(lines) == 3
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("colour", [True, False])
def test_colour_is_for_trouble_and_only_where_it_is_wanted(colour: bool) -> None:
    output = seen_on_a_terminal(rough_night, colour=colour)
    assert (f"{ESC}[31mc failed: bad_request: No{ESC}[0m" in output) == colour
    assert output.count(ESC) == (2 if colour else 0)


# Hostile text and broken streams

reporters = pytest.mark.parametrize("make", [bar_reporter, line_reporter])


@reporters
@given(text=hostile_text, message=st.text(max_size=400) | hostile_text)
def test_no_text_reaches_the_terminal_as_it_is(
    make: Callable[[io.StringIO, Clock], ProgressObserver], text: str, message: str
) -> None:
    stream = io.StringIO(newline="")
    reporter = make(stream, Clock())
    reporter.observe(RunStarted(3, 0))
    reporter.observe(AttemptStarted(request(text)))
    reporter.observe(AttemptFailed(request(text), Failure(text, message), 1.0))
    reporter.observe(ResultsDurable([failed(text, text, message=message)]))
    reporter.observe(Notice(message))
    reporter.close()
    shown = stream.getvalue().replace("\r", "").replace("\n", "")
    assert all(character.isprintable() or character.isspace() for character in shown)
    assert ESC not in shown
    assert stream.getvalue().count("\n") <= 6


@reporters
def test_a_stream_that_breaks_does_not_end_the_run(
    make: Callable[[io.TextIOWrapper, Clock], ProgressObserver],
) -> None:
    reader, writer = os.pipe()
    clock = Clock()
    with open(writer, "w", encoding="utf-8", buffering=1) as stream:
        reporter = make(stream, clock)
        reporter.observe(RunStarted(3, 0))
        os.close(reader)
        rough_night(reporter, clock)
        reporter.close()
        assert reporter.counters.done == 3
        with pytest.raises(BrokenPipeError):
            stream.close()


@reporters
def test_a_stream_that_was_closed_does_not_end_the_run(
    make: Callable[[io.StringIO, Clock], ProgressObserver],
) -> None:
    stream, clock = io.StringIO(), Clock()
    reporter = make(stream, clock)
    reporter.observe(RunStarted(3, 0))
    stream.close()
    rough_night(reporter, clock)
    reporter.close()
    assert reporter.counters.done == 3


@reporters
def test_an_encoding_that_lacks_a_letter_does_not_end_the_run(
    make: Callable[[io.TextIOWrapper, Clock], ProgressObserver],
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    reporter = make(stream, Clock())
    reporter.observe(RunStarted(1, 0))
    reporter.observe(ResultsDurable([failed("Grüße 🎉", message="naïve")]))
    reporter.close()
    stream.flush()
    assert rb"Gr\xfc\xdfe \U0001f389 failed: http_500: na\xefve" in raw.getvalue()
