"""Rate limits in response headers: parsed, carried along, and observed."""

from __future__ import annotations

import json
import math
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from multidict import CIMultiDict

from batch.records import Failure, Rate, Reply
from batch.scheduling.adaptive_limiter import AdaptiveLimiter, shows_overload
from batch.scheduling.server_rate_limit import LATE, LONGEST, ServerRateLimit
from batch.testing import FaultServer, status
from batch.wire.retry_headers import may_have_rate, rate
from tests.support.engine_support import OK, Bench, requests
from tests.support.transport_support import ask
from tests.support.wire_support import FUZZ

if TYPE_CHECKING:
    from batch.records import Outcome, Request

REQUESTS = "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"
TOKENS = "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"
CLAUDE = "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"
NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)
WHOLE = {"choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}


# Reading


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({REQUESTS[0]: "59", REQUESTS[1]: "1s"}, Rate(59, 1.0)),
        ({"X-RateLimit-Remaining-Requests": "59", "X-RateLimit-Reset-Requests": "1s"}, Rate(59, 1.0)),
        ({REQUESTS[0]: "0", REQUESTS[1]: "6m0s"}, Rate(0, 360.0)),
        ({REQUESTS[0]: "0", REQUESTS[1]: "1h2m3.5s"}, Rate(0, 3723.5)),
        ({REQUESTS[0]: "0", REQUESTS[1]: "120ms"}, Rate(0, 0.12)),
        ({REQUESTS[0]: "0", REQUESTS[1]: "12"}, Rate(0, 12.0)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}, Rate(7, 30.0)),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "30"}, Rate(7, 30.0)),
        # tokens count where none are left
        ({TOKENS[0]: "0", TOKENS[1]: "2s", REQUESTS[0]: "9", REQUESTS[1]: "9s"}, Rate(0, 2.0)),
        ({TOKENS[0]: "1", TOKENS[1]: "2s", REQUESTS[0]: "9", REQUESTS[1]: "9s"}, Rate(9, 9.0)),
        ({TOKENS[0]: "100", TOKENS[1]: "2s"}, None),
        # a time in place of seconds
        ({CLAUDE[0]: "49", CLAUDE[1]: "2026-11-22T17:00:30Z"}, Rate(49, 30.0)),
        ({CLAUDE[0]: "49", CLAUDE[1]: "2026-11-22T18:00:30.5+01:00"}, Rate(49, 30.5)),
        ({CLAUDE[0]: "49", CLAUDE[1]: "2026-11-22T17:00:30"}, Rate(49, 30.0)),
        ({CLAUDE[0]: "49", CLAUDE[1]: "2026-11-22T16:59:59Z"}, None),
        ({CLAUDE[0]: "49", CLAUDE[1]: "2026-11-31T17:00:30Z"}, None),
        (
            {
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-22T17:00:09Z",
                CLAUDE[0]: "49",
                CLAUDE[1]: "2026-11-22T17:00:30Z",
            },
            Rate(0, 9.0),
        ),
        # half of it, or garbage
        ({}, None),
        ({REQUESTS[0]: "0"}, None),
        ({REQUESTS[1]: "1s"}, None),
        ({REQUESTS[0]: "-1", REQUESTS[1]: "1s"}, None),
        ({REQUESTS[0]: "many", REQUESTS[1]: "1s"}, None),
        ({REQUESTS[0]: "0", REQUESTS[1]: ""}, None),
        ({REQUESTS[0]: "0", REQUESTS[1]: "soon"}, None),
        ({REQUESTS[0]: "0", REQUESTS[1]: "-5s"}, None),
        ({REQUESTS[0]: "9" * 400, REQUESTS[1]: "1s"}, None),
    ],
    ids=str,
)
def test_reading(headers: dict[str, str], expected: Rate | None) -> None:
    assert rate(CIMultiDict(headers), NOW) == expected
    if headers:
        assert may_have_rate(CIMultiDict(headers))


def test_other_headers_have_no_rate() -> None:
    assert not may_have_rate(CIMultiDict({"content-type": "text/event-stream", "retry-after": "1"}))


@FUZZ
@given(
    st.text(max_size=20),
    st.text(max_size=20)
    | st.from_regex(r"(\d+[hms]{1,2})+", fullmatch=True)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", fullmatch=True),
)
def test_fuzz_no_rate_header_raises(remaining: str, reset: str) -> None:
    for names in (REQUESTS, TOKENS, CLAUDE):
        read = rate(CIMultiDict(dict(zip(names, (remaining, reset), strict=True))), NOW)
        assert read is None or (read.remaining >= 0 and 0 <= read.seconds < math.inf)


@pytest.mark.anyio
@pytest.mark.parametrize("code", [200, 429])
async def test_replies_and_failures_have_the_rate(code: int) -> None:
    headers = {REQUESTS[0]: "3", REQUESTS[1]: "40s", "content_type": "application/json"}
    async with FaultServer(status(code, json.dumps(WHOLE).encode(), **headers)) as server:
        outcome = await ask(server.url)
    assert isinstance(outcome, Reply) is (code == 200)
    assert outcome.rate is not None
    assert outcome.rate.remaining == 3
    assert 30 < outcome.rate.seconds <= 40, "from the end of the attempt"


# Deciding

OPEN = -math.inf


def report(*reports: tuple[int, int], seconds: float = 30) -> ServerRateLimit:
    """Return the limit after reports at 10 s: what was left, and how many were in flight."""
    rate_limit = ServerRateLimit()
    for remaining, in_flight in reports:
        rate_limit.report(Rate(remaining, seconds), now=10, in_flight=in_flight)
    return rate_limit


@pytest.mark.parametrize(
    ("reports", "closed"),
    [
        ([], False),
        ([(0, 1)], True),
        ([(1, 1)], False),
        ([(5, 6)], True),  # requests in flight may not be in it
        ([(6, 6)], False),
        ([(6, 6), (0, 5)], True),
        ([(0, 2), (9, 1)], True),  # an older report that comes later
        ([(3, 9), (9, 3)], False),  # but fewer are in flight by now
    ],
)
def test_an_endpoint_is_closed_while_it_may_have_nothing_left(
    reports: list[tuple[int, int]], closed: bool
) -> None:
    assert report(*reports).closed_until == (10 + 30 + LATE if closed else OPEN)


def test_each_request_uses_one_up() -> None:
    rate_limit = report((3, 1))
    closed = []
    for _ in range(3):
        rate_limit.sent(11)
        closed.append(rate_limit.closed_until > OPEN)
    assert closed == [False, False, True]


def test_after_a_reset_the_largest_reported_number_is_the_limit_until_a_new_report() -> None:
    rate_limit = report((3, 1), (0, 1))
    for _ in range(4):
        assert rate_limit.closed_until <= 41
        rate_limit.sent(41)
    assert rate_limit.closed_until == 41 + LONGEST
    rate_limit.report(Rate(7, 20), now=42, in_flight=4)
    assert rate_limit.closed_until == OPEN


@pytest.mark.parametrize("seconds", [0.0, LONGEST + 1, 1e18])
def test_a_reset_that_is_over_or_far_away_closes_nothing(seconds: float) -> None:
    assert report((0, 1), seconds=seconds).closed_until == OPEN


def test_without_reports_nothing_is_ever_closed() -> None:
    rate_limit = ServerRateLimit()
    for now in range(1000):
        rate_limit.sent(now)
    assert rate_limit.closed_until == OPEN


def test_a_refusal_with_nothing_left_is_a_rate_limit_and_not_congestion() -> None:
    refusal = Failure("http_429", "slow", http_status=429)
    assert shows_overload(refusal)
    assert shows_overload(replace(refusal, rate=Rate(1, 30)))
    assert not shows_overload(replace(refusal, rate=Rate(0, 30)))


# Whole runs


class Limited:
    """A server that admits some requests, refuses the others with 429, and reports what is left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.refused = 0

    def take(self, now: float) -> tuple[bool, int, float]:
        """Return whether a request is admitted, how many are left after it, and when the limit is reset."""
        raise NotImplementedError

    def script(self, request: Request, attempt: int) -> tuple[float, Outcome]:
        passes, left, reset = self.take(anyio.current_time() + 17)
        self.refused += not passes
        took = self._seconds if passes else 0.05
        outcome = OK if passes else Failure("http_429", "slow down", http_status=429)
        return took, replace(outcome, rate=Rate(left, max(0.0, reset - took)))


class Window(Limited):
    """A number of requests in each minute of its own clock."""

    def __init__(self, limit: int, seconds: float) -> None:
        super().__init__(seconds)
        self._limit = limit
        self._taken: Counter[int] = Counter()

    def take(self, now: float) -> tuple[bool, int, float]:
        minute, second = divmod(now, 60)
        passes = self._taken[int(minute)] < self._limit
        self._taken[int(minute)] += passes
        return passes, self._limit - self._taken[int(minute)], 60 - second


class Leaky(Limited):
    """A bucket that is refilled evenly in a minute."""

    def __init__(self, limit: int, seconds: float) -> None:
        super().__init__(seconds)
        self._limit = limit
        self._level, self._at = float(limit), 0.0

    def take(self, now: float) -> tuple[bool, int, float]:
        self._level = min(self._limit, self._level + (now - self._at) * self._limit / 60)
        self._at = now
        passes = self._level >= 1
        self._level -= passes
        return passes, int(self._level), (self._limit - self._level) * 60 / self._limit


@pytest.mark.parametrize("seconds", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("limit", [20, 300])
@pytest.mark.parametrize("kind", [Window, Leaky])
def test_a_reported_rate_limit_is_fully_used_with_few_refusals(
    kind: type[Window | Leaky], limit: int, seconds: float
) -> None:
    server = kind(limit, seconds)
    bench = Bench({"m": server.script}, {"m": requests(1500)}, limit=64, limiter=AdaptiveLimiter)
    bench.play()
    assert bench.statuses == ["succeeded"] * 1500
    # As a rule nothing. Where an answer takes as long as seven requests' share of the rate, a report is old
    # when it comes: of the 1500, 28 to 90 were refused in many runs, which differ in what happens at once.
    assert server.refused <= (150 if (kind, limit, seconds) == (Leaky, 20, 20.0) else 0)
    took = bench.diary.sent[-1][0] - bench.diary.sent[0][0]
    by_rate, by_slots = 1500 / limit * 60, 1500 / 64 * seconds
    assert took <= 1.1 * max(by_rate, by_slots) + 60
