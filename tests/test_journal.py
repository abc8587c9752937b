"""What a run writes down of itself: troubles one by one up to a bound, the rest as counts."""

from __future__ import annotations

import pytest

from batch.app.journal import MOST, PERIOD, Journal
from batch.app.quiet import QuietReporter
from batch.records import Failure, Request, Result
from tests.results_support import failed, succeeded


class Told(QuietReporter):
    """Remembers the notices and the results that it is told of."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.notices: list[str] = []
        self.remarks: list[str] = []
        self.ticks = 0
        super().__init__(self.results.append)

    def notice(self, message: str) -> None:
        self.notices.append(message)

    def remark(self, message: str) -> None:
        self.remarks.append(message)

    def tick(self) -> None:
        self.ticks += 1


class Book:
    """A journal whose clock is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told = Told()
        self.lines: list[tuple[str, str]] = []
        self.journal = Journal(self.told, self, clock=lambda: self.now)

    def write(self, event: str, text: str) -> None:
        self.lines.append((event, text))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def book() -> Book:
    return Book()


REQUEST = Request("row-1", "0" * 32, "llama", "llama", ())


def test_each_trouble_is_told_as_it_happens(book: Book) -> None:
    book.journal.failed_attempt(REQUEST, Failure("http_503", "overloaded"), 1.25)
    book.journal.failed_attempt(REQUEST, Failure("http_400", "no"), None)
    book.journal.finished(failed("row-1", "http_400", message="no", retryable=False))
    book.journal.finished(failed("row-2"))
    book.journal.notice("the last line was torn")
    book.journal.remark("llama is parked for 10 s")
    assert book.lines == [
        ("retry", "row-1: http_503: overloaded; again in 1.2 s"),
        ("failed", "row-1: http_400: no"),
        ("failed", "row-2: http_500: Internal error; the next run asks again"),
        ("notice", "the last line was torn"),
        ("notice", "llama is parked for 10 s"),
    ]
    assert book.told.notices == ["the last line was torn"]
    assert book.told.remarks == ["llama is parked for 10 s"]
    assert [result.id for result in book.told.results] == ["row-1", "row-2"]


def test_successes_are_only_counted_and_once_a_minute(book: Book) -> None:
    for _ in range(1000):
        book.journal.finished(succeeded("a"))
    book.now = PERIOD - 1
    book.journal.tick()
    assert book.lines == []
    book.now = PERIOD
    book.journal.tick()
    book.journal.tick()
    assert book.lines == [("counts", "since the last: succeeded 1000")]
    assert book.told.ticks == 3


def test_a_storm_is_told_at_its_beginning_and_then_counted(book: Book) -> None:
    for _ in range(5000):
        book.journal.failed_attempt(REQUEST, Failure("http_429", "slow down"), 1.0)
        book.journal.failed_attempt(REQUEST, Failure("truncated", "cut"), 1.0)
    assert len(book.lines) == 2 * MOST
    book.now = PERIOD
    book.journal.tick()
    counts = "since the last: succeeded 0, retry http_429 5000, retry truncated 5000"
    assert book.lines[-1] == ("counts", counts)
    book.journal.failed_attempt(REQUEST, Failure("http_429", "slow down"), 1.0)
    assert book.lines[-1][0] == "retry"


def test_nothing_is_said_of_a_quiet_minute(book: Book) -> None:
    book.now = 10 * PERIOD
    book.journal.tick()
    assert book.lines == []


def test_what_has_been_read_by_now_is_not_told_for_the_whole(book: Book) -> None:
    book.journal.start(1, 0, is_whole=False)
    book.journal.start(3, 1)
    assert book.lines == [
        ("start", "requests are counted as they are read: see the end"),
        ("start", "3 requests, 1 of them need nothing more"),
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("what?")])
def test_what_ends_a_run_from_outside_is_told(book: Book, error: BaseException) -> None:
    with pytest.raises(type(error)), book.journal:
        raise error
    assert book.lines == [("end", f"{type(error).__name__}: {error}")]
