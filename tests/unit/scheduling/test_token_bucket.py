"""Limits per minute: any minute admits the allowed amount, and no amount waits forever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.scheduling.token_bucket import MINUTE, TokenBucket

pauses = st.one_of(st.just(0.0), st.floats(0, 0.1), st.floats(0, 30), st.floats(0, 600))


def sent(bucket: TokenBucket, wishes: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return when each amount is admitted, requested one after the other, each after a pause."""
    now, log = 0.0, []
    for pause, amount in wishes:
        now = max(now + pause, bucket.ready_at(amount, now + pause))
        assert bucket.ready_at(amount, now) <= now, "what has waited until its time may go"
        bucket.take(amount, now)
        log.append((now, amount))
    return log


def most_in_a_minute(log: list[tuple[float, float]]) -> float:
    return max(
        sum(amount for at, amount in log[index:] if at < begin + MINUTE - 1e-6)
        for index, (begin, _) in enumerate(log)
    )


@given(st.integers(1, 20_000), st.lists(pauses, min_size=1, max_size=300))
def test_no_minute_admits_more_requests_than_the_limit(limit: int, waits: list[float]) -> None:
    log = sent(TokenBucket(limit), [(pause, 1.0) for pause in waits])
    assert most_in_a_minute(log) <= limit


@pytest.mark.parametrize("limit", [1, 2, 3, 60, 61, 100, 600, 1000])
def test_a_queue_that_never_ends_gets_nearly_the_whole_limit(limit: int) -> None:
    log = sent(TokenBucket(limit), [(0.0, 1.0)] * limit * 5)
    assert most_in_a_minute(log) <= limit
    assert log[-1][0] <= 5 * MINUTE * 61 / 60


@pytest.mark.parametrize(("limit", "at_once"), [(1, 1), (60, 1), (120, 2), (6000, 100)])
def test_at_the_start_at_most_the_share_of_a_second_is_admitted(limit: int, at_once: int) -> None:
    log = sent(TokenBucket(limit), [(0.0, 1.0)] * limit)
    assert sum(at == 0 for at, _ in log) == at_once


@given(st.integers(60, 10**6), st.lists(st.tuples(pauses, st.floats(0, 10**5)), min_size=1, max_size=60))
def test_any_minute_admits_at_most_the_limit_and_one_amount(
    limit: int, wishes: list[tuple[float, float]]
) -> None:
    log = sent(TokenBucket(limit), wishes)
    assert most_in_a_minute(log) <= (limit + 1 + max(amount for _, amount in log)) * (1 + 1e-6)


def test_an_amount_larger_than_the_bucket_is_admitted_when_it_is_full_and_leaves_a_debt() -> None:
    bucket = TokenBucket(6000)
    assert bucket.ready_at(50_000, 0) == 0
    bucket.take(50_000, 0)
    assert bucket.ready_at(1, 0) == pytest.approx(60 * 50_000 / 6000, rel=0.02)


def test_a_refund_never_exceeds_a_full_bucket() -> None:
    bucket = TokenBucket(6000)
    bucket.take(1000, 0)
    bucket.refund(900, 0)
    assert bucket.ready_at(1, 0) == pytest.approx(0.01, rel=0.1)
    bucket.refund(10**6, 0)
    bucket.take(100, 0)
    assert bucket.ready_at(1, 0) > 0


def test_a_negative_refund_is_a_debt() -> None:
    bucket = TokenBucket(6000)
    bucket.refund(-700, 0)
    assert bucket.ready_at(100, 0) == pytest.approx(7, rel=0.02)


def test_a_clock_that_stands_still_fills_nothing() -> None:
    bucket = TokenBucket(60)
    bucket.take(1, 5)
    assert bucket.ready_at(1, 5) == pytest.approx(6)
    assert bucket.ready_at(1, 5) == pytest.approx(6)
