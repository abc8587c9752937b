"""The timeline of a run: the right bins whether it takes seconds or hours, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.app.run.recorder import TimelineRecorder
from batch.app.run.run_statistics import Statistics
from batch.app.run.timeline import MAX_CODES, MAX_ENDPOINTS, TimelineBuilder
from batch.app.run.timeline_bin import Counts
from batch.events import EndpointLoad, Parked, Snapshot, Tick
from batch.records import Failure, Reply, Usage, Verdict
from batch.results.run_record import MAX_BINS, ParkedInterval
from tests.support.engine_support import Bench, requests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch.events import Event
    from batch.records import Request
    from batch.results.run_record import Timeline

ANSWER = Reply("fine", Verdict.COMPLETE, "stop", usage=Usage(10, 3, 13), first_byte=0.5, total=1.0)


def counts(succeeded: int = 0, attempts: int = 0, failed: dict[str, int] | None = None) -> Counts:
    return Counts(succeeded, attempts, failed=Counter(failed or {}))


def parked(name: str = "m", code: str = "connect") -> Snapshot:
    return Snapshot(parked=(Parked(name, code, None),), endpoints=(EndpointLoad(name, 0, 0),))


def lengths(timeline: Timeline) -> set[int]:
    """The lengths of all lists that have a number for each bin."""
    found: set[int] = set()

    def look(value: object) -> None:
        if isinstance(value, list):
            found.add(len(value))
        elif isinstance(value, dict):
            for each in value.values():
                look(each)

    look({key: value for key, value in msgspec.to_builtins(timeline).items() if key != "parked"})
    return found


# Bins


def test_what_was_counted_since_the_last_second_is_in_the_bin_of_that_second() -> None:
    builder = TimelineBuilder()
    builder.add(0.0, counts(), None)
    builder.add(1.0, counts(succeeded=3, attempts=5), None)
    builder.add(2.1, counts(succeeded=3, attempts=9), None)
    builder.add(3.0, counts(succeeded=7, attempts=9, failed={"http_500": 2}), None)
    timeline = builder.build()
    assert (timeline.width, timeline.bins) == (1.0, 3)
    assert timeline.succeeded == [3, 0, 4]
    assert timeline.attempts == [5, 4, 0]
    assert timeline.failed == {"http_500": [0, 0, 2]}


def test_what_happened_before_a_long_pause_is_in_the_bin_of_its_end() -> None:
    builder = TimelineBuilder()
    builder.add(0.0, counts(), None)
    builder.add(100.0, counts(succeeded=1), None)
    assert builder.build().succeeded == [0] * 99 + [1]


def test_a_clock_that_steps_back_loses_nothing() -> None:
    builder = TimelineBuilder()
    builder.add(10.0, counts(succeeded=1), None)
    builder.add(5.0, counts(succeeded=2), None)
    assert sum(builder.build().succeeded) == 2


def test_samples_are_averaged_and_a_bin_without_one_is_empty() -> None:
    builder = TimelineBuilder()
    for at, in_flight, limit in ((0.6, 1, 4), (0.8, 2, 4), (2.4, 8, 8)):
        loads = (EndpointLoad("m", in_flight, limit), EndpointLoad("n", 0, 1))
        builder.add(at, counts(), Snapshot(in_flight, limit + 1, 3, endpoints=loads))
    timeline = builder.build()
    assert timeline.in_flight == [1.5, 8.0]
    assert timeline.limit == [5.0, 9.0]
    assert timeline.retries_waiting == [3.0, 3.0]
    assert timeline.endpoints["m"].in_flight == [1.5, 8.0]
    assert timeline.endpoints["n"].limit == [1.0, 1.0]
    builder.add(4.0, counts(), None)
    assert builder.build().in_flight == [1.5, 8.0, None, None]


def test_the_bins_become_twice_as_wide_when_the_run_grows() -> None:
    builder = TimelineBuilder()
    for second in range(1, 1001):
        builder.add(float(second), counts(succeeded=second), Snapshot(in_flight=second % 2))
    timeline = builder.build()
    assert (timeline.width, timeline.bins) == (2.0, 500)
    assert set(timeline.succeeded) == {2}
    assert set(timeline.in_flight) == {0.5}


def test_quantiles_are_those_of_the_successes_in_a_bin() -> None:
    builder, statistics = TimelineBuilder(), Statistics()
    for second, duration in enumerate((0.1, 10.0), 1):
        for _ in range(100):
            statistics.latency.add(duration)
        builder.add(float(second), Counts.until_now(statistics), None)
    latency = builder.build().latency
    assert latency.p50 == [pytest.approx(0.1, rel=0.03), pytest.approx(10, rel=0.03)]
    assert latency.p99 == latency.p50
    assert builder.build().first_byte.p50 == [None, None]


# Bounds


@given(
    st.lists(
        st.tuples(st.floats(0, 5000), st.integers(0, 9), st.integers(0, 9), st.sampled_from(["a", "b", "c"])),
        max_size=20,
    )
)
def test_totals_over_bins_are_those_of_the_run_whatever_their_width(
    steps: list[tuple[float, int, int, str]],
) -> None:
    builder, statistics, now = TimelineBuilder(), Statistics(), 0.0
    for pause, succeeded, failed, code in steps:
        now += pause
        statistics.attempts += succeeded + 2 * failed
        statistics.succeeded += succeeded
        statistics.prompt_tokens += 7 * succeeded
        statistics.completion_tokens += 3 * succeeded
        statistics.codes[code] += failed
        statistics.failed_attempts[code] += 2 * failed
        statistics.cost += 0.25 * succeeded
        builder.add(now, Counts.until_now(statistics), Snapshot(in_flight=succeeded))
    timeline = builder.build()
    assert timeline.bins <= MAX_BINS
    assert lengths(timeline) <= {timeline.bins}
    assert timeline.bins == 0 or (timeline.bins - 1) * timeline.width <= now
    assert sum(timeline.succeeded) == statistics.succeeded
    assert sum(timeline.attempts) == statistics.attempts
    assert sum(timeline.prompt_tokens) == statistics.prompt_tokens
    assert sum(timeline.completion_tokens) == statistics.completion_tokens
    assert sum(timeline.cost) == statistics.cost
    assert {code: sum(each) for code, each in timeline.failed.items()} == +statistics.codes
    assert {code: sum(each) for code, each in timeline.failed_attempts.items()} == +statistics.failed_attempts


def test_memory_does_not_grow_with_the_length_of_the_run() -> None:
    def peak(seconds: Iterable[int]) -> int:
        builder, statistics = TimelineBuilder(), Statistics()
        tracemalloc.start()
        for second in seconds:
            statistics.succeeded += 1
            statistics.latency.add(1 + second % 10)
            snapshot = parked() if second % 3 else Snapshot(endpoints=(EndpointLoad("m", 1, 1),))
            builder.add(float(second), Counts.until_now(statistics), snapshot)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(range(0, 4_800_000, 400)) < 1.3 * peak(range(600)) < 4_000_000


def test_many_codes_and_endpoints_are_counted_together() -> None:
    builder = TimelineBuilder()
    failed = {f"http_{status}": status for status in range(500, 600)}
    loads = tuple(EndpointLoad(f"m{n}", 1, 1) for n in range(50))
    snapshot = Snapshot(parked=(Parked("m49", "auth", None),), endpoints=loads)
    builder.add(1.0, counts(failed=failed), snapshot)
    timeline = builder.build()
    assert len(timeline.failed) == MAX_CODES
    assert timeline.failed["other"] == [sum(range(500, 571))]
    assert list(timeline.endpoints) == [f"m{n}" for n in range(MAX_ENDPOINTS)]
    assert timeline.parked == []


# Parked endpoints


def test_a_parked_endpoint_is_an_interval() -> None:
    builder = TimelineBuilder()
    for second, snapshot in enumerate([Snapshot(), parked(), parked(), Snapshot(), parked()]):
        builder.add(float(second), counts(), snapshot)
    assert builder.build().parked == [
        ParkedInterval("m", "connect", is_open=False, start=0.5, end=2.5),
        ParkedInterval("m", "connect", is_open=False, start=3.5, end=4.0),
    ]


def test_intervals_with_short_gaps_are_joined_in_wide_bins() -> None:
    builder = TimelineBuilder()
    for second in range(20_000):
        builder.add(float(second), counts(), Snapshot() if second % 10 else parked())
    timeline = builder.build()
    assert timeline.width == 64.0
    assert timeline.parked == [ParkedInterval("m", "connect", is_open=False, start=0.0, end=19_990.5)]


# Runs in virtual time


class VirtualTime:
    """An observer that knows the time of the last event, in seconds since the first one."""

    def __init__(self) -> None:
        self.start: float | None = None
        self.now = 0.0

    def observe(self, event: Event) -> None:
        now = anyio.current_time()
        self.start = now if self.start is None else self.start
        self.now = now - self.start

    def __call__(self) -> float:
        return self.now


class Sampling:
    """An observer that samples at each tick, as a run does."""

    def __init__(self, recorder: TimelineRecorder) -> None:
        self._recorder = recorder

    def observe(self, event: Event) -> None:
        if isinstance(event, Tick):
            self._recorder.sample(event.snapshot)


def course(seconds: float) -> tuple[Timeline, Statistics]:
    """A run in which ``a`` is down for a while, ``b`` sends 429s, and ``c`` rejects its key in the end."""
    time, statistics = VirtualTime(), Statistics()

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        share = (anyio.current_time() - (time.start or 0.0)) / seconds
        duration = seconds / 100
        if request.target == "a" and 0.3 <= share < 0.6:
            return 0.01, Failure("connect", "refused")
        if request.target == "b" and 0.2 <= share < 0.4 and attempt == 1:
            return duration, Failure("http_429", "slow", http_status=429)
        if request.target == "c" and share >= 0.5:
            return 0.01, Failure("auth", "wrong key", http_status=401)
        return duration, ANSWER

    recorder = TimelineRecorder(statistics, clock=time)
    names = ("a", "b", "c")
    bench = Bench(
        dict.fromkeys(names, script),
        {name: requests(5000, name) for name in names},
        limit=6,
        outage=24 * 3600,
        observers=(time, statistics, Sampling(recorder)),
    )
    bench.play(then=lambda bench: bench.run.drain(), after=seconds)
    return recorder.finish(), statistics


def shares(timeline: Timeline, counts: list[int], seconds: float) -> tuple[float, float]:
    """The part of the run in which something was counted, from the first bin to the end of the last."""
    bins = [index for index, count in enumerate(counts) if count]
    return bins[0] * timeline.width / seconds, (bins[-1] + 1) * timeline.width / seconds


@pytest.mark.parametrize("seconds", [30.0, 36_000.0], ids=["half a minute", "ten hours"])
def test_trouble_is_in_the_bins_of_its_time(seconds: float) -> None:
    timeline, statistics = course(seconds)
    exactness = (1.5 + timeline.width) / seconds + 0.01
    assert timeline.bins <= MAX_BINS
    assert timeline.bins * timeline.width == pytest.approx(seconds, rel=0.15)
    assert sum(timeline.succeeded) == statistics.succeeded > 100
    assert sum(timeline.attempts) == statistics.attempts

    refused = shares(timeline, timeline.failed_attempts["http_429"], seconds)
    assert refused[0] == pytest.approx(0.2, abs=exactness)
    assert refused[1] == pytest.approx(0.4, abs=exactness)
    down = shares(timeline, timeline.failed_attempts["connect"], seconds)
    assert down[0] == pytest.approx(0.3, abs=exactness)

    by_name = {each.endpoint: each for each in timeline.parked}
    outage, without_key = by_name["a"], by_name["c"]
    assert (outage.code, outage.is_open) == ("connect", True)
    assert outage.start / seconds == pytest.approx(0.3, abs=exactness)
    assert 0.6 - exactness <= outage.end / seconds < 1
    assert (without_key.code, without_key.is_open) == ("auth", False)
    assert without_key.start / seconds == pytest.approx(0.5, abs=exactness)
    assert without_key.end / seconds == pytest.approx(1, abs=exactness)

    limits = timeline.endpoints["c"].limit
    parked_at = int(without_key.start / timeline.width)
    assert set(limits[parked_at + 1 : -1]) <= {0.0, None}
    assert limits[parked_at - 2] == 6.0
