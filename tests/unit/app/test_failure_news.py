"""Which failures a quiet run names: those that are new, and once a week all that are open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from batch.app.run.failure_news import NAMED, NOTHING, Reported, news_of
from batch.app.run.open_failures import OpenFailure

if TYPE_CHECKING:
    from batch.app.run.failure_news import News

NOW = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
DAY = timedelta(days=1)

OLD = OpenFailure("old", "f1", "bad_request", is_final=True, runs=1)
BUSY = OpenFailure("busy", "f2", "http_503", is_final=False, runs=2, message="Busy")
NEW = OpenFailure("new", "f3", "bad_request", is_final=True, runs=1, message="No")


def reported(*failures: OpenFailure, days_ago: float = 1) -> Reported:
    return Reported(frozenset(each.key for each in failures), NOW - days_ago * DAY)


def names(news: News) -> tuple[list[str], list[str], int]:
    return [each.id for each in news.new], [each.id for each in news.again], news.known


WEEK_AGO = reported(OLD, days_ago=7)

CASES = {
    "nothing has failed": ([], NOTHING, ([], [], 0)),
    "the first failure": ([NEW], NOTHING, (["new"], [], 0)),
    "one of an earlier run that no mail has named": ([OLD], NOTHING, (["old"], [], 0)),
    "a known one": ([OLD], reported(OLD), ([], [], 1)),
    "a known one and a new one": ([NEW, OLD], reported(OLD), (["new"], [], 1)),
    "a temporary one, again": ([BUSY], reported(BUSY), ([], [], 1)),
    "a temporary one that has become final": (
        [replace(BUSY, is_final=True, runs=3)],
        reported(BUSY),
        (["busy"], [], 0),
    ),
    "a temporary one that succeeded in between": ([replace(BUSY, runs=1)], reported(BUSY), (["busy"], [], 0)),
    "a final one that succeeded in between": (
        [replace(OLD, message="No")],
        reported(OLD),
        (["old"], [], 0),
    ),
    "another prompt": ([replace(OLD, fingerprint="f9")], reported(OLD), (["old"], [], 0)),
    "another document, as broken": ([replace(OLD, content="c")], reported(OLD), (["old"], [], 0)),
    "another code": ([replace(BUSY, code="http_500")], reported(BUSY), ([], [], 1)),
    "six days and a night": ([OLD], reported(OLD, days_ago=6.4), ([], [], 1)),
    "a week, a few minutes earlier": ([OLD], reported(OLD, days_ago=6.99), ([], ["old"], 0)),
    "a week": ([OLD, BUSY], reported(OLD, BUSY, days_ago=7), ([], ["old", "busy"], 0)),
    "a week, and a new one": ([NEW, OLD], WEEK_AGO, (["new"], ["old"], 0)),
    "a clock that was wrong": ([OLD], reported(OLD, days_ago=-1), ([], ["old"], 0)),
    "a record without a time": ([OLD], Reported(frozenset([OLD.key])), ([], ["old"], 0)),
}


@pytest.mark.parametrize(("failures", "before", "expected"), CASES.values(), ids=CASES)
def test_what_is_named(
    failures: list[OpenFailure], before: Reported, expected: tuple[list[str], list[str], int]
) -> None:
    news = news_of(failures, before, NOW)
    assert names(news) == expected
    assert news.is_silent == (expected[:2] == ([], []))


@pytest.mark.parametrize(
    ("days", "new"), [*product([0, 1, 3], [False]), *product([0.01, 3, 6.4], [True])], ids=str
)
def test_a_new_failure_does_not_put_off_the_weekly_list(days: float, new: bool) -> None:
    before = reported(OLD, days_ago=days)
    after = news_of([NEW, OLD] if new else [OLD], before, NOW).reported
    assert after.listed_at == before.listed_at
    assert names(news_of([OLD], after, NOW + (7 - days) * DAY)) == ([], ["old"], 0)


@pytest.mark.parametrize(
    ("failures", "before", "listed_at"),
    [
        ([NEW], NOTHING, NOW),
        ([NEW], reported(OLD), NOW),  # it is the only one that is open
        ([NEW, OLD], reported(OLD), NOW - DAY),
        ([NEW, OLD], WEEK_AGO, NOW),
        ([], reported(OLD), None),
    ],
)
def test_when_all_were_listed(
    failures: list[OpenFailure], before: Reported, listed_at: datetime | None
) -> None:
    assert news_of(failures, before, NOW).reported.listed_at == listed_at


def test_what_is_no_longer_open_is_forgotten_and_new_when_it_fails_again() -> None:
    after = news_of([BUSY], reported(OLD, BUSY), NOW).reported
    assert after.keys == {BUSY.key}
    assert names(news_of([OLD, BUSY], after, NOW)) == (["old"], [], 1)


def test_a_run_that_has_read_a_part_of_the_job_forgets_and_lists_nothing() -> None:
    news = news_of([NEW], reported(OLD, BUSY, days_ago=8), NOW, is_whole=False)
    assert names(news) == (["new"], [], 0)
    assert news.reported == Reported(frozenset([NEW.key, OLD.key, BUSY.key]), NOW - 8 * DAY)
    assert names(news_of([OLD], WEEK_AGO, NOW, is_whole=False)) == ([], [], 1)


def test_failures_of_a_retry_are_new_because_the_user_asked() -> None:
    sent = replace(OLD, message="No", runs=2)
    assert names(news_of([sent, BUSY], reported(OLD, BUSY), NOW, is_asked=True)) == (["old", "busy"], [], 0)
    assert names(news_of([OLD], reported(OLD), NOW, is_asked=True)) == ([], [], 1), "it was not sent"


@pytest.mark.parametrize("failures", [[], [OLD]])
def test_other_trouble_is_never_silent(failures: list[OpenFailure]) -> None:
    news = news_of(failures, reported(*failures), NOW, is_trouble=True)
    assert not news.is_silent
    assert names(news) == ([], [], len(failures))


def test_failures_beyond_the_bound_cannot_be_told_apart_and_so_are_not_silent() -> None:
    news = news_of([OLD], reported(OLD), NOW, unlisted=3)
    assert (news.known, news.is_silent) == (4, False)


def test_as_many_are_named_as_a_mail_can_hold() -> None:
    many = [replace(NEW, id=str(number)) for number in range(NAMED + 1)]
    news = news_of(many, NOTHING, NOW)
    assert [each.id for each in news.named] == [str(number) for number in range(NAMED)]
    assert len(news.reported.keys) == len(many), "the others are counted once, too"


FAILURES = st.lists(
    st.builds(
        OpenFailure,
        id=st.sampled_from("abc"),
        fingerprint=st.sampled_from("12"),
        code=st.just("bad_request"),
        is_final=st.booleans(),
        runs=st.integers(1, 3),
        message=st.sampled_from([None, "No"]),
    ),
    unique_by=lambda failure: failure.id,
)


@given(nights=st.lists(FAILURES, max_size=8))
def test_whatever_happens_a_night_like_the_last_is_silent(nights: list[list[OpenFailure]]) -> None:
    record = NOTHING
    for number, failures in enumerate(nights):
        night = NOW + number * DAY
        record = news_of(failures, record, night).reported
        standing = [replace(each, message=None) for each in failures]
        assert news_of(standing, record, night + DAY / 2).new == ()
        assert record.keys == {each.key for each in failures}
