"""What a run writes down of itself: troubles one by one up to a bound, the rest as counts."""

from __future__ import annotations

import asyncio

import pytest

from batch.app.run.run_log import MAX_LINES_OF_A_KIND, PERIOD, RunLog
from batch.events import AttemptFailed, Event, Level, Notice, ResultsDurable, RunStarted, Tick
from batch.records import Failure, Request
from tests.support.results_support import failed, succeeded


class Book:
    """A run's log whose clock is set by hand, and whose lines are kept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[tuple[str, str]] = []
        self.log = RunLog(self, clock=lambda: self.now)

    def observe(self, *events: Event) -> None:
        for event in events:
            self.log.observe(event)

    def write(self, event: str, text: str) -> None:
        self.lines.append((event, text))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def book() -> Book:
    return Book()


REQUEST = Request("row-1", "0" * 32, "llama", "llama", ())


def test_each_failure_is_logged_as_it_happens(book: Book) -> None:
    book.observe(AttemptFailed(REQUEST, Failure("http_503", "overloaded"), 1.25))
    book.observe(AttemptFailed(REQUEST, Failure("http_400", "no"), None))
    book.observe(ResultsDurable([failed("row-1", "http_400", message="no", retryable=False)]))
    book.observe(ResultsDurable([failed("row-2")]))
    book.observe(Notice("the last line was partial"))
    book.observe(Notice("llama is parked for 10 s", Level.INFO))
    assert book.lines == [
        ("retry", "row-1: http_503: overloaded; retry in 1.2 s"),
        ("failed", "row-1: http_400: no"),
        ("failed", "row-2: http_500: Internal error; the next run sends it again"),
        ("notice", "the last line was partial"),
        ("notice", "llama is parked for 10 s"),
    ]


def test_successes_are_only_counted_and_once_a_minute(book: Book) -> None:
    for _ in range(1000):
        book.observe(ResultsDurable([succeeded("a")]))
    book.now = PERIOD - 1
    book.observe(Tick(None))
    assert book.lines == []
    book.now = PERIOD
    book.observe(Tick(None))
    book.observe(Tick(None))
    assert book.lines == [("counts", "since the last line: succeeded 1000")]


def test_many_failures_are_logged_at_first_and_then_counted(book: Book) -> None:
    for _ in range(5000):
        book.observe(AttemptFailed(REQUEST, Failure("http_429", "slow down"), 1.0))
        book.observe(AttemptFailed(REQUEST, Failure("truncated", "cut"), 1.0))
    assert len(book.lines) == 2 * MAX_LINES_OF_A_KIND
    book.now = PERIOD
    book.observe(Tick(None))
    counts = "since the last line: succeeded 0, retry http_429 5000, retry truncated 5000"
    assert book.lines[-1] == ("counts", counts)
    book.observe(AttemptFailed(REQUEST, Failure("http_429", "slow down"), 1.0))
    assert book.lines[-1][0] == "retry"


def test_nothing_is_logged_for_a_quiet_minute(book: Book) -> None:
    book.now = 10 * PERIOD
    book.observe(Tick(None))
    assert book.lines == []


def test_what_has_been_read_so_far_is_not_logged_as_the_whole(book: Book) -> None:
    book.observe(RunStarted(1, 0, is_whole=False))
    book.observe(RunStarted(3, 1))
    assert book.lines == [
        ("start", "requests are counted as they are read: see the end"),
        ("start", "3 requests, 1 of them need nothing more"),
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("what?")])
def test_what_ends_a_run_from_outside_is_logged(book: Book, error: BaseException) -> None:
    with pytest.raises(type(error)), book.log:
        raise error
    assert book.lines == [("end", f"{type(error).__name__}: {error}")]


def test_a_cancelled_run_logs_its_counts_and_what_is_pending(book: Book) -> None:
    book.observe(ResultsDurable([succeeded("row-1"), succeeded("row-2")]))
    with pytest.raises(asyncio.CancelledError), book.log:
        raise asyncio.CancelledError("Cancelled via cancel scope 7f2b")
    assert book.lines == [
        ("counts", "since the last line: succeeded 2"),
        ("end", "cancelled by the caller; the requests without a result are pending"),
    ]
