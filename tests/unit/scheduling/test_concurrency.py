"""Adaptive concurrency: each rule at its bounds, and runs against servers of every capacity."""

from __future__ import annotations

import itertools
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.records import Failure, Outcome
from batch.scheduling.adaptive_limiter import MIN_PROBE_INTERVAL, START, AdaptiveLimiter, shows_overload
from batch.scheduling.concurrency_limiter import FixedLimiter
from tests.support.simulated_server import (
    REFUSAL,
    REPLY,
    SimulatedServer,
    Trace,
    changing,
    gradual,
    knee,
    simulate,
    steady,
    thrashing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter

SEEDS = range(10)
WARM, END = 60, 660
BOUNDS = {1: 64, 4: 64, 32: 512, 256: 512}
"""The user's limit for each capacity of a server: well above it."""

TIMEOUT = Failure("first_byte_timeout", "silence")
CUT = Failure("truncated", "cut")


# What is a sign of overload


@pytest.mark.parametrize(
    ("failure", "sign"),
    [
        (REFUSAL, True),
        (Failure("http_503", "busy", http_status=503), True),
        (Failure("http_529", "overloaded", http_status=529), True),
        (Failure("http_408", "timeout", http_status=408), True),
        (Failure("http_504", "gateway timeout", http_status=504), True),
        (Failure("http_524", "a timeout", http_status=524), True),
        (TIMEOUT, True),
        (Failure("idle_timeout", "silence"), True),
        (Failure("total_timeout", "too long"), True),
        (Failure("api_error", "overloaded_error: later", overloaded=True), True),
        (Failure("api_error", "server_error: oops"), False),
        (Failure("quota", "used up", http_status=429), False),
        (Failure("http_500", "oops", http_status=500), False),
        (Failure("http_502", "bad gateway", http_status=502), False),
        (Failure("bad_request", "no", http_status=400), False),
        (Failure("connect", "refused"), False),
        (CUT, False),
    ],
    ids=lambda value: value.message if isinstance(value, Failure) else "",
)
def test_only_failures_that_a_lower_limit_would_have_avoided_are_congestion_signals(
    failure: Failure, sign: bool
) -> None:
    assert shows_overload(failure) is sign
    it = AdaptiveLimiter(16)
    it.settled(failure, started=0, now=1, in_flight=16)
    assert (it.slots(1) < 16) is sign


# Rule by rule


class Hand:
    """Settles by hand: one reply or refusal after the other, each sent after the last was settled."""

    def __init__(self, limit: int = 512, start: int = START) -> None:
        self.it = AdaptiveLimiter(limit, start=start)
        self.now = 0.0

    @property
    def slots(self) -> int:
        return self.it.slots(self.now)

    def settle(self, outcome: Outcome = REPLY, *, full: bool = True, began: float | None = None) -> None:
        started = self.now + 0.5 if began is None else began
        self.now += 1
        in_flight = self.slots if full else self.slots - 1
        self.it.sent(started)
        self.it.settled(outcome, started=started, now=self.now, in_flight=in_flight)

    def rounds(self, count: int) -> None:
        for _ in range(count):
            for _ in range(self.slots):
                self.settle()

    def meet_a_ceiling_at(self, width: int) -> None:
        while self.slots < width:
            self.settle()
        self.settle(REFUSAL)


@pytest.mark.parametrize("limit", [1, 4, 8, 16])
def test_a_small_limit_is_open_at_once(limit: int) -> None:
    assert Hand(limit).slots == limit


def test_the_limit_doubles_in_each_round_up_to_the_limit_of_the_job() -> None:
    hand = Hand(limit=100)
    widths = []
    for _ in range(4):
        widths.append(hand.slots)
        hand.rounds(1)
    assert widths == [16, 32, 64, 100]


def test_there_is_no_growth_while_a_slot_is_free() -> None:
    hand = Hand()
    for _ in range(1000):
        hand.settle(full=False)
    assert hand.slots == START


@given(st.lists(st.sampled_from([REFUSAL, TIMEOUT, CUT]), max_size=50))
def test_no_failure_raises_the_limit(failures: list[Failure]) -> None:
    hand = Hand()
    hand.rounds(2)
    for failure in failures:
        before = hand.slots
        hand.settle(failure)
        assert hand.slots <= before


def test_a_cut_goes_a_little_below_the_ceiling() -> None:
    hand = Hand()
    hand.meet_a_ceiling_at(40)
    assert hand.slots == 38


def test_a_cut_is_deep_if_most_requests_were_refused() -> None:
    hand = Hand(start=50)
    widths = []
    for _ in range(5):
        hand.settle(REFUSAL)
        widths.append(hand.slots)
    assert widths == [35, 24, 16, 11, 7]


def test_the_refusals_of_one_round_trip_cut_at_most_half() -> None:
    hand = Hand(start=50)
    hand.rounds(1)
    assert hand.slots == 100
    hand.settle(REFUSAL)
    before = hand.now - 0.5
    for _ in range(9):
        hand.settle(REFUSAL, began=before)
    assert hand.slots == 90, "ten of a hundred were refused"
    for _ in range(80):
        hand.settle(REFUSAL, began=before)
    assert hand.slots == 50


def test_occasional_refusals_of_a_single_request_do_not_keep_the_limit_at_one() -> None:
    hand = Hand()
    for _ in range(30):
        hand.settle(REFUSAL)
    assert hand.slots == 1
    for _ in range(MIN_PROBE_INTERVAL):
        hand.settle()
    assert hand.slots == 2


def test_late_timeouts_of_earlier_requests_change_nothing() -> None:
    hand = Hand()
    hand.meet_a_ceiling_at(40)
    before = hand.now - 0.5
    hand.rounds(10)
    slots = hand.slots
    for _ in range(20):
        hand.settle(TIMEOUT, began=before)
    assert hand.slots == slots


def test_replies_to_what_was_sent_before_the_cut_are_no_reason_to_grow() -> None:
    hand = Hand()
    hand.meet_a_ceiling_at(40)
    before = hand.now - 0.5
    for _ in range(1000):
        hand.settle(began=before)
    assert hand.slots == 38


def test_one_slow_answer_hardly_changes_the_limit() -> None:
    hand = Hand(limit=64, start=64)
    hand.rounds(5)
    hand.settle(TIMEOUT)
    assert hand.slots >= 60
    hand.rounds(10)
    assert hand.slots == 64


def test_the_way_back_slows_down_below_the_ceiling() -> None:
    hand = Hand(limit=100, start=100)
    hand.settle(REFUSAL)
    widths = [hand.slots]
    for _ in range(5):
        hand.rounds(1)
        widths.append(hand.slots)
    assert widths == [70, 79, 85, 89, 91, 92]


def test_meeting_the_same_ceiling_again_lengthens_the_probe_interval_up_to_eight_rounds() -> None:
    hand = Hand()
    hand.meet_a_ceiling_at(40)
    rests = []
    for _ in range(6):
        replies = 0
        while hand.slots < 40:
            hand.settle()
            replies += 1
        hand.settle(REFUSAL)
        rests.append(round(replies / 38))
    assert rests[0] < rests[1] < rests[2] < rests[3] == rests[4] == rests[5]
    assert 8 <= rests[-1] <= 12


def test_above_its_old_ceiling_the_queue_grows_faster_each_round() -> None:
    hand = Hand()
    hand.meet_a_ceiling_at(40)
    while hand.slots < 45:
        hand.settle()
    widths = []
    for _ in range(4):
        widths.append(hand.slots)
        hand.rounds(1)
    steps = [later - earlier for earlier, later in itertools.pairwise(widths)]
    assert steps == sorted(steps)
    assert steps[-1] > 2 * steps[0]


def after_a_refusal(limit: int, replies: int) -> int:
    hand = Hand(limit=limit, start=limit)
    for _ in range(replies):
        hand.settle()
    hand.settle(REFUSAL)
    return hand.slots


@pytest.mark.parametrize("limit", [2, 4, 6, 16, 32, 256])
def test_one_refusal_at_a_proven_limit_does_not_cut(limit: int) -> None:
    assert after_a_refusal(limit, replies=limit) == limit


@pytest.mark.parametrize("limit", [2, 4, 6, 16, 32])
def test_one_refusal_at_a_limit_that_is_not_proven_cuts(limit: int) -> None:
    assert after_a_refusal(limit, replies=limit - 1) < limit


@pytest.mark.parametrize("limit", [4, 6, 16, 32])
def test_a_proven_limit_is_cut_by_the_fourth_refusal_in_a_row(limit: int) -> None:
    hand = Hand(limit=limit, start=limit)
    hand.rounds(10)
    limits = []
    for _ in range(4):
        hand.settle(REFUSAL)
        limits.append(hand.slots)
    assert limits[:3] == [limit] * 3
    assert limits[3] < limit


def test_if_random_refusals_are_known_a_new_limit_tolerates_one_too() -> None:
    """Of two queues at 17 of 512, one has seen a refusal at 16 that had nothing to do with the limit."""
    assert refused_beyond_sixteen(known=False) < 17
    assert refused_beyond_sixteen(known=True) == 17


def refused_beyond_sixteen(*, known: bool) -> int:
    hand = Hand()
    for _ in range(16):
        hand.settle(full=False)
    if known:
        hand.settle(REFUSAL)
    for _ in range(40):
        hand.settle(full=False)
    hand.settle()
    assert hand.slots == 17
    hand.settle(REFUSAL)
    return hand.slots


def test_a_slow_refusal_is_never_taken_for_a_random_one() -> None:
    hand = Hand(limit=16)
    hand.rounds(10)
    hand.settle(REFUSAL, began=hand.now - 5)
    assert hand.slots < 16


# Whatever happens


@given(
    limit=st.integers(1, 300),
    start=st.integers(1, 300),
    events=st.lists(
        st.tuples(st.sampled_from([REPLY, REPLY, REPLY, REFUSAL, TIMEOUT, CUT]), st.integers(0, 40)),
        max_size=300,
    ),
)
def test_the_limit_stays_between_one_and_the_limit_of_the_job(
    limit: int, start: int, events: list[tuple[Outcome, int]]
) -> None:
    it = AdaptiveLimiter(limit, start=start)
    for now, (outcome, age) in enumerate(events, start=1):
        in_flight = max(1, min(it.slots(now), 1 + age * 7))
        it.sent(now)
        it.settled(outcome, started=now - age, now=now, in_flight=in_flight)
        assert 1 <= it.slots(now) <= limit


# Against servers


@cache
def best_fixed(capacity: int, slowdown: Callable[[float], float]) -> float:
    """The throughput of the best of all fixed settings, tried in steps of a twentieth of the capacity."""
    settings = sorted({max(1, round(capacity * step / 20)) for step in range(12, 22)})
    return max(
        sum(_play(FixedLimiter(setting), capacity, seed, slowdown).throughput(WARM, END) for seed in (0, 1))
        / 2
        for setting in settings
    )


def _play(
    capacity: FixedLimiter | AdaptiveLimiter,
    size: int,
    seed: int,
    slowdown: Callable[[float], float] = gradual,
) -> Trace:
    return simulate(SimulatedServer(steady(size), Random(seed), slowdown=slowdown), capacity, END)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "share"), [(4, 0.8), (32, 0.9), (256, 0.9)])
@pytest.mark.parametrize("slowdown", [gradual, knee, thrashing])
def test_it_comes_close_to_the_best_fixed_setting_with_few_refusals(
    size: int, share: float, slowdown: Callable[[float], float]
) -> None:
    best = best_fixed(size, slowdown)
    for seed in SEEDS if slowdown is gradual or size < 256 else SEEDS[:2]:
        trace = _play(AdaptiveLimiter(BOUNDS[size]), size, seed, slowdown)
        assert trace.throughput(WARM, END) >= share * best, seed
        assert trace.refused(WARM, END) <= 0.02, seed


def test_a_server_that_takes_one_at_a_time_gets_one_at_a_time() -> None:
    for seed in SEEDS:
        trace = _play(AdaptiveLimiter(BOUNDS[1]), 1, seed)
        assert trace.throughput(WARM, END) >= 0.9 * best_fixed(1, gradual)
        assert trace.refused(WARM, END) <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(4, 16), (16, 4), (32, 128), (128, 32), (64, 256), (256, 64)])
def test_it_follows_a_server_that_changes_within_a_minute(before: int, after: int) -> None:
    change = 330
    best = best_fixed(after, gradual)
    for seed in SEEDS:
        server = SimulatedServer(changing(before, after, change), Random(seed))
        trace = simulate(server, AdaptiveLimiter(512), END)
        settled = change + 60
        for begin in range(settled, END - 90, 30):
            assert trace.throughput(begin, begin + 90) >= (0.8 if after == 4 else 0.9) * best, (seed, begin)
        assert trace.refused(settled, END) <= 0.02, seed


@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 32, 256])
@pytest.mark.parametrize("noise", [0.002, 0.01, 0.03, 0.06])
def test_random_refusals_hardly_cost_throughput_at_a_capacity(size: int, noise: float) -> None:
    def throughput(capacity: ConcurrencyLimiter, seed: int) -> float:
        server = SimulatedServer(steady(size), Random(seed), noise=noise)
        return simulate(server, capacity, END).throughput(WARM, END)

    settings = {round(size * step / 20) for step in (16, 18, 19, 20, 21)}
    best = max(throughput(FixedLimiter(setting), 0) for setting in settings)
    for seed in SEEDS if size < 256 else SEEDS[:2]:
        assert throughput(AdaptiveLimiter(BOUNDS[size]), seed) >= 0.9 * best, seed


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 8, 16])
@pytest.mark.parametrize("noise", [0.01, 0.03, 0.06])
def test_random_refusals_hardly_cost_throughput_below_a_small_limit(limit: int, noise: float) -> None:
    """From the first second on, and for as long as a job of some hundred requests takes."""

    def throughput(make: Callable[[int], ConcurrencyLimiter]) -> float:
        servers = [SimulatedServer(steady(10_000), Random(seed), noise=noise) for seed in SEEDS]
        return sum(simulate(server, make(limit), 200).throughput(0, 200) for server in servers)

    assert throughput(AdaptiveLimiter) >= 0.9 * throughput(FixedLimiter)


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.06])
@pytest.mark.parametrize("before", [16, 128])
def test_the_limit_follows_a_large_loss_of_capacity_within_a_few_seconds(before: int, noise: float) -> None:
    change, after = 330, before // 4
    for seed in SEEDS[:4]:
        server = SimulatedServer(changing(before, after, change), Random(seed), noise=noise)
        trace = simulate(server, AdaptiveLimiter(512), change + 60)
        assert max(trace.slots[change + 10 :]) <= 1.2 * after + 1, seed


def test_without_refusals_the_limit_is_reached_within_a_minute_and_kept() -> None:
    for limit in (8, 64, 512):
        trace = _play(AdaptiveLimiter(limit), 10_000, seed=0)
        assert set(trace.slots[WARM:]) == {limit}
