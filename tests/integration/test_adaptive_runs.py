"""Adaptive concurrency in whole runs, with first requests, retries, outages and limits, in virtual time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import web

from batch.records import Failure
from batch.scheduling.adaptive_limiter import START, AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from tests.support.chat_server import ChatServer, serving
from tests.support.engine_support import OK, Bench, requests
from tests.support.simulated_server import ERRORS_AND_CUTS, SimulatedServer, changing, steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.providers.scripted import Script
    from batch.records import Outcome, Request
    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter
    from tests.conftest import Command

SEEDS = range(6)
BUSY = Failure("http_503", "busy", http_status=503)


def asked(server: SimulatedServer) -> Script:
    return lambda request, attempt: server.answer(anyio.current_time())


def run_against(
    server: SimulatedServer,
    count: int,
    limit: int,
    limiter: Callable[[int], ConcurrencyLimiter] = AdaptiveLimiter,
) -> Bench:
    bench = Bench({"m": asked(server)}, {"m": requests(count)}, limit=limit, limiter=limiter)
    bench.play()
    return bench


def seconds(bench: Bench) -> float:
    """From the first request to the last."""
    times = [at for at, _ in bench.diary.sent]
    return times[-1] - times[0]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [(1, 200), (4, 1000), (32, 5000), (256, 20_000)])
def test_every_request_is_answered_about_as_fast_as_the_server_can(size: int, count: int) -> None:
    bench = run_against(SimulatedServer(steady(size), Random(1)), count, limit=512)
    assert bench.statuses == ["succeeded"] * count
    best = count / size * 2.0 * (1 + 1 / 3)  # seconds alone, slowed down at the capacity
    assert seconds(bench) <= best / 0.85
    assert len(bench.diary.failures) <= 0.02 * count + 40, "and with few refusals beyond those of the start"


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(("limit", "share"), [(4, 0.02), (6, 0.06), (16, 0.01), (16, 0.06)])
def test_a_small_job_is_not_slowed_by_random_refusals(limit: int, share: float, code: int) -> None:
    refusal = Failure(f"http_{code}", "not now", http_status=code)

    def taken(limiter: Callable[[int], ConcurrencyLimiter]) -> float:
        server = [SimulatedServer(steady(1000), Random(seed), noise=share, refusal=refusal) for seed in SEEDS]
        return sum(seconds(run_against(each, 300, limit, limiter)) for each in server)

    assert taken(FixedLimiter) >= 0.9 * taken(AdaptiveLimiter)


def test_a_small_job_is_not_slowed_by_500s_and_cuts() -> None:
    def taken(limiter: Callable[[int], ConcurrencyLimiter]) -> float:
        server = [SimulatedServer(steady(1000), Random(seed), faults=ERRORS_AND_CUTS) for seed in SEEDS]
        return sum(seconds(run_against(each, 300, 6, limiter)) for each in server)

    assert taken(FixedLimiter) >= 0.9 * taken(AdaptiveLimiter)


def test_a_server_with_503_above_its_capacity_is_not_considered_down() -> None:
    bench = run_against(SimulatedServer(steady(4), Random(1), refusal=BUSY), 1000, limit=64)
    assert bench.statuses == ["succeeded"] * 1000
    assert seconds(bench) <= 1000 / 4 * 2.0 * (1 + 1 / 3) / 0.8


def test_requests_survive_a_server_that_shrinks() -> None:
    server = SimulatedServer(changing(128, 4, at=60), Random(1))
    bench = run_against(server, 4000, limit=512)
    assert bench.statuses == ["succeeded"] * 4000
    assert max(result.attempts for result in bench.sink.results) <= 8


def test_the_first_request_is_sent_alone_and_then_as_many_as_the_start_limit() -> None:
    bench = Bench({"m": lambda *_: (1, OK)}, {"m": requests(200)}, limit=64, limiter=AdaptiveLimiter)
    bench.play()
    begin = bench.diary.sent[0][0]
    at = [round(time - begin) for time, _ in bench.diary.sent]
    assert [at.count(second) for second in range(4)] == [1, START, 2 * START, 4 * START]


def test_after_an_outage_the_limit_doubles_again_from_one() -> None:
    begin: list[float] = []

    def script(request: Request, attempt: int) -> tuple[float, Outcome]:
        begin[:] = begin or [anyio.current_time()]
        out = 20 <= anyio.current_time() - begin[0] < 60
        return (0.01, Failure("connect", "refused")) if out else (1, OK)

    bench = Bench({"m": script}, {"m": requests(2000)}, limit=64, limiter=AdaptiveLimiter)
    bench.play()
    assert bench.statuses == ["succeeded"] * 2000
    after = [at for at, _ in bench.diary.sent if at - begin[0] >= 60]
    at = [round(time - after[0]) for time in after]
    assert [at.count(second) for second in range(8)] == [1, 1, 2, 4, 8, 16, 32, 64]


JOB = """\
provider: openai
model: echo
prompt: "{{{{ text }}}}"
base_url: {url}/v1
concurrency: 40
output: {{path: results.jsonl}}
inputs: {{jsonl: rows.jsonl}}
"""


@pytest.mark.anyio
async def test_adaptive_false_sends_as_many_at_once_as_configured(promptjobs: Command) -> None:
    """The server answers the forty requests after the first one only once all of them have arrived."""
    server = ChatServer()
    all_there = anyio.Event()

    async def wait_for_all() -> None:
        if len(server.seen) > 40:
            all_there.set()
        if len(server.seen) > 1:
            await all_there.wait()

    server.before_answer = wait_for_all
    rows = "".join(f'{{"id": "{number}", "text": "{number}"}}\n' for number in range(41))
    (promptjobs.folder / "rows.jsonl").write_text(rows)
    async with serving(server):
        (promptjobs.folder / "job.yaml").write_text(JOB.format(url=server.url))
        ended = await promptjobs("run", "job.yaml", "--set", "adaptive=false")
    assert ended.code == 0, ended.stderr
    assert server.answered == 41


@pytest.mark.anyio
async def test_the_summary_names_the_failures_that_slowed_a_run(promptjobs: Command) -> None:
    """A server that takes one request at a time, and a job that would send eight."""
    server = Crowded()
    rows = "".join(f'{{"id": "{number}", "text": "{number}"}}\n' for number in range(12))
    (promptjobs.folder / "rows.jsonl").write_text(rows)
    async with serving(server):
        (promptjobs.folder / "job.yaml").write_text(JOB.format(url=server.url))
        ended = await promptjobs("run", "job.yaml", "--set", "concurrency=8", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.summary["held_back"] == "http_429"
    assert "  held back by 429s: below `concurrency` for most of the run" in ended.stderr.splitlines()


class Crowded(ChatServer):
    """Takes 50 ms for an answer, and refuses other requests meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.is_busy:
            return web.json_response({"error": {"message": "one at a time"}}, status=429)
        self.is_busy = True
        try:
            await anyio.sleep(0.05)
            return await super().handle(request)
        finally:
            self.is_busy = False
