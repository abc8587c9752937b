"""The engine with failing endpoints, in virtual time."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from batch.app.run.pending_requests import Allowance
from batch.app.run.plan import Plan
from batch.inputs import JobSource
from batch.jobfile.job import JobFile, Model
from batch.jobfile.paths import bounds_of
from batch.records import Failure, Known, Reply, Request
from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.resume import State, state
from tests.support.engine_support import OK, Bench, MemorySink, always, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from batch.inputs.bitset import Bitset
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter

SLOW_DOWN = Failure("http_429", "slow down", http_status=429, retry_after=5)


def busiest(times: Iterable[float], width: float) -> int:
    """Return the maximum number in any time span of this length."""
    ordered = sorted(times)
    return max(bisect_left(ordered, at + width) - n for n, at in enumerate(ordered))


@pytest.mark.parametrize("limiter", [FixedLimiter, AdaptiveLimiter])
@pytest.mark.parametrize("limit", [8, 1000])
def test_a_thousand_retry_afters_are_observed_without_a_burst_at_the_end(
    limit: int, limiter: Callable[[int], ConcurrencyLimiter]
) -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 0.05, SLOW_DOWN if attempt == 1 else OK

    bench = Bench({"m": script}, {"m": requests(1000)}, limit=limit, limiter=limiter)
    bench.play()
    sent: dict[str, list[float]] = {}
    for at, name in bench.diary.sent:
        sent.setdefault(name, []).append(at)
    assert len(bench.diary.failures) == 1000
    assert Counter(bench.statuses) == {"succeeded": 1000}
    assert all(len(times) == 2 for times in sent.values())
    assert min(second - first - 0.05 for first, second in sent.values()) >= 5
    again = [second for _, second in sent.values()]
    assert busiest(again, 0.1) <= 150, "a thousand at once are spread over a second"


def test_a_model_parked_for_an_hour_does_not_delay_the_next_one(tmp_path: Path) -> None:
    """Half a million rows of the parked model are first in the file."""
    behind, healthy = 500_000, 28_000
    path = tmp_path / "job.jsonl"
    with path.open("w") as file:
        file.writelines(f'{{"id":"p{n}","model":"parked","prompt":"?"}}\n' for n in range(behind))
        file.writelines(f'{{"id":"h{n}","model":"healthy","prompt":"?"}}\n' for n in range(healthy))
    models = tuple(Model(name, "openai", name, "http://h/v1") for name in ("parked", "healthy"))
    source = JobSource(
        JobFile("job", path, tmp_path, bounds_of(tmp_path), models, tmp_path / "out.jsonl", rows=path),
        {},
    )
    plan, sink = Plan(), MemorySink()
    plan.to_send.update(parked=behind, healthy=healthy)
    lines = {"parked": range(1, behind + 1), "healthy": range(behind + 1, behind + healthy + 1)}
    plan._marks.update({name: cast("Bitset", each) for name, each in lines.items()})
    jobs: dict[str, Iterable[Request | None]]
    jobs = {name: Allowance(None).pending(source, name, plan, sink) for name in ("parked", "healthy")}
    hour = Failure("http_429", "come back in an hour", http_status=429, retry_after=3600)
    bench = Bench({"parked": always(1, hour), "healthy": always(1, OK)}, jobs, outage=7200, sink=sink)
    bench.play(then=lambda it: it.run.drain(), after=3590)
    assert {result.model for result in sink.results} == {"healthy"}
    sent = [at for at, name in bench.diary.sent if name.startswith("h")]
    assert len(sink.results) == healthy
    assert sent[-1] - sent[0] <= healthy / 8 * 1.01, "at eight a second, less than one in a hundred is lost"
    assert len(bench.diary.sent) - len(sent) == 1, "the parked one has sent its pilot and nothing else"


class Quota:
    """An endpoint that answers a number of requests and then requires payment."""

    def __init__(self, answers: int) -> None:
        self.left = answers

    def __call__(self, request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        self.left -= 1
        if self.left < 0:
            return 0.2, Failure("quota", "the quota is used up", http_status=402)
        return 1, OK


def test_a_quota_that_ends_in_the_middle_leaves_the_others_pending_and_loses_nothing() -> None:
    rows, quota = requests(1000), Quota(400)
    first = Bench({"m": quota}, {"m": rows}, limit=16)
    first.play()
    held = first.scheduler.queues[0].parking
    assert held is not None
    assert (held.code, held.exit_code) == ("quota", 7)
    assert len(first.sink.results) == 400
    assert set(first.statuses) == {"succeeded"}
    assert len(first.diary.sent) <= 400 + 16, "nothing was sent after the first such answer"
    assert len([said for said in first.diary.notices if "quota" in said]) == 1

    known = {result.id: Known(result.fingerprint, succeeded=True) for result in first.sink.results}
    pending = [row for row in rows if state(row, known.get(row.id)) is not State.DONE]
    second = Bench({"m": always(1, OK)}, {"m": pending}, limit=16)
    second.play()
    done = [result.id for result in (*first.sink.results, *second.sink.results)]
    assert sorted(done) == sorted(row.id for row in rows)


def test_a_pool_loses_one_of_its_endpoints_for_ten_minutes_and_gets_it_back() -> None:
    origin: list[float] = []

    def dying(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        now = anyio.current_time()
        origin[:] = origin or [now]
        return (0.01, Failure("connect", "refused")) if 60 < now - origin[0] < 660 else (1, OK)

    bench = Bench(
        {"a": dying, "b": always(1, OK)},
        {"m": requests(12_000)},
        limit=16,
        pools={"m": ("a", "b")},
        outage=7200,
    )
    bench.play()
    assert Counter(bench.statuses) == {"succeeded": 12_000}
    assert bench.diary.notices == [
        "a is down; it is probed for 7200 s at most: refused",
        "a answers again",
    ]
    probes = Counter(bench.providers["a"].attempts.values())
    assert sum(probes.values()) > 300, "it had a share before and after"
    gaps = [later - earlier for earlier, later in pairwise(at for at, _ in bench.diary.sent)]
    assert max(gaps) <= 1.01, "the other one went on all the time"


def test_a_model_that_takes_a_hundred_times_as_long_gets_half_of_the_slots() -> None:
    def slow(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1 if request.id == "slow-0" else 100, OK

    bench = Bench(
        {"slow": slow, "fast": always(1, OK)},
        {"slow": requests(1000, "slow"), "fast": requests(10_000, "fast")},
        limit=8,
    )
    bench.play(then=lambda it: it.run.drain(), after=1000.5)
    sent = Counter(name.split("-")[0] for _, name in bench.diary.sent)
    assert sent["fast"] >= 4 * 890, "four slots, once the first slow answers are there"
    assert sent["slow"] <= 1 + 8 + 4 * 9


@pytest.mark.parametrize("limiter", [FixedLimiter, AdaptiveLimiter])
def test_a_server_in_maintenance_is_probed_no_earlier_than_it_says(
    limiter: Callable[[int], ConcurrencyLimiter],
) -> None:
    origin: list[float] = []

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        origin[:] = origin or [anyio.current_time()]
        down = 10 < anyio.current_time() - origin[0] < 400
        return 0.05, Failure("http_503", "maintenance", http_status=503, retry_after=30) if down else OK

    bench = Bench({"m": script}, {"m": requests(3000)}, limiter=limiter)
    bench.play()
    assert Counter(bench.statuses) == {"succeeded": 3000}
    assert bench.diary.notices[-1] == "m answers again"
    sent: dict[str, list[float]] = {}
    for at, name in bench.diary.sent:
        sent.setdefault(name, []).append(at)
    assert min(later - earlier for times in sent.values() for earlier, later in pairwise(times)) >= 30.05
    assert len([at for at, _ in bench.diary.sent if 10 < at - origin[0] < 400]) <= 10 + 8 + 390 / 30
