"""Attribution of failures: documents never stop other documents, and a broken endpoint costs few requests.

Whole runs in virtual time. The rules are those of ``docs/faults.md``, "Whose fault".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest
from msgspec.structs import replace

from batch.records import Failure, Reply, Request
from batch.scheduling.adaptive_limiter import AdaptiveLimiter
from batch.scheduling.concurrency_limiter import FixedLimiter
from batch.scheduling.known_good_requests import Candidates
from tests.support.engine_support import OK, Bench, always, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from batch.scheduling.concurrency_limiter import ConcurrencyLimiter

FLAGGED = Failure("forbidden", "flagged", http_status=403)
UNPAID = Failure("payment_required", "no credit", http_status=402)
SERVER_ERROR = Failure("http_500", "boom", http_status=500)
UNAVAILABLE = Failure("http_503", "boom", http_status=503)
GATEWAY_TIMEOUT = Failure("http_504", "boom", http_status=504)
SILENT = Failure("first_byte_timeout", "silence")
REJECTED = Failure("bad_request", "unknown model", http_status=400, server_code="model_error")
TOO_LONG = Failure("bad_request", "too long", http_status=400, about_request=True)
SLOW_DOWN = Failure("http_429", "slow down", http_status=429)


def rows(count: int) -> list[Request]:
    """Requests with realistic, practically random fingerprints."""
    return [
        replace(each, fingerprint=hashlib.sha256(each.id.encode()).hexdigest()) for each in requests(count)
    ]


def named(numbers: Collection[int]) -> set[str]:
    return {f"m-{number}" for number in numbers}


class Job(Bench):
    """A run in which some documents always get the same failure."""

    def __init__(
        self,
        bad: set[str],
        failure: Failure,
        *,
        count: int,
        limit: int = 8,
        limiter: Callable[[int], ConcurrencyLimiter] = FixedLimiter,
        is_planned: bool = True,
        outage: float = 1800,
    ) -> None:
        def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
            return (0.1, failure) if request.id in bad else (1, OK)

        self.bad = bad
        job = rows(count)
        candidates = Candidates()
        for each in job if is_planned else ():
            candidates.to_send(each, has_failed=False)
        super().__init__(
            {"m": script},
            {"m": job},
            limit=limit,
            limiter=limiter,
            outage=outage,
            candidates={"m": candidates},
        )
        self.play()

    @property
    def codes(self) -> Counter[str]:
        return Counter(result.error.code for result in self.sink.results if result.error is not None)

    @property
    def sent_for_good_ones(self) -> int:
        return sum(n for name, n in self.providers["m"].attempts.items() if name not in self.bad)


BLOCKS = {
    "spread": named(range(3, 5000, 10)),
    "first": named(range(500)),
    "in the middle": named(range(2000, 2500)),
    "last": named(range(4500, 5000)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "failure", [SERVER_ERROR, UNAVAILABLE, GATEWAY_TIMEOUT, FLAGGED], ids=lambda it: it.code
)
@pytest.mark.parametrize("where", BLOCKS)
def test_a_tenth_of_the_documents_fails_alone(where: str, failure: Failure) -> None:
    job = Job(BLOCKS[where], failure, count=5000)
    assert Counter(job.statuses) == {"succeeded": 4500, "failed": 500}
    assert job.codes == {failure.code: 500}
    assert job.scheduler.queues[0].parking is None
    assert job.sent_for_good_ones <= 4500 * 1.03


@pytest.mark.parametrize("limit", [1, 64])
@pytest.mark.parametrize("limiter", [FixedLimiter, AdaptiveLimiter])
def test_at_any_concurrency(limit: int, limiter: Callable[[int], ConcurrencyLimiter]) -> None:
    job = Job(named(range(300, 400)), SERVER_ERROR, count=1000, limit=limit, limiter=limiter)
    assert Counter(job.statuses) == {"succeeded": 900, "failed": 100}
    assert job.sent_for_good_ones <= 900 * 1.03


@pytest.mark.parametrize("failure", [SERVER_ERROR, SILENT, FLAGGED], ids=lambda it: it.code)
def test_twenty_of_sixty_are_refused_always(failure: Failure) -> None:
    job = Job(named(range(20)), failure, count=60)
    assert Counter(job.statuses) == {"succeeded": 40, "failed": 20}


@pytest.mark.parametrize("position", [0, 1, 30, 59])
@pytest.mark.parametrize(("failure", "attempts"), [(FLAGGED, 1), (UNPAID, 1), (SERVER_ERROR, 8), (SILENT, 8)])
def test_one_document_fails_after_its_own_attempts(position: int, failure: Failure, attempts: int) -> None:
    job = Job(named([position]), failure, count=60)
    assert Counter(job.statuses) == {"succeeded": 59, "failed": 1}
    (result,) = [each for each in job.sink.results if each.error is not None]
    assert (result.id, result.attempts) == (f"m-{position}", attempts)
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == (failure.code, failure not in (FLAGGED, UNPAID))


def test_a_job_that_is_not_planned_finds_a_good_document_by_reading_on() -> None:
    job = Job(named(range(6)), SERVER_ERROR, count=60, is_planned=False)
    assert Counter(job.statuses) == {"succeeded": 54, "failed": 6}


def test_requests_that_are_charged_are_named() -> None:
    job = Job(named([10, 20]), FLAGGED, count=60)
    assert [said for said in job.diary.notices if "charged" in said] == [
        "m works; failures are charged to: m-10",
        "m works; failures are charged to: m-20",
    ]


# The endpoint's fault


def failing_from(start: float, failure: Failure, end: float = float("inf")) -> Bench:
    origin: list[float] = []

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        origin[:] = origin or [anyio.current_time()]
        return (0.1, failure) if start <= anyio.current_time() - origin[0] < end else (1, OK)

    bench = Bench({"m": script}, {"m": rows(5000)}, outage=3 * 3600)
    bench.play()
    return bench


@pytest.mark.parametrize("failure", [FLAGGED, UNPAID], ids=lambda it: it.code)
def test_a_revoked_key_and_an_empty_account_cost_a_handful(failure: Failure) -> None:
    bench = failing_from(100, failure)
    parking = bench.scheduler.queues[0].parking
    assert parking is not None
    assert (parking.code, parking.exit_code) == (failure.code, 7)
    assert set(bench.statuses) == {"succeeded"}
    assert len(bench.diary.sent) - len(bench.sink.results) <= 5 + 7 + 1, "suspects, those in flight, a check"


@pytest.mark.parametrize("failure", [SERVER_ERROR, SILENT], ids=lambda it: it.code)
def test_an_outage_of_two_hours_is_charged_to_no_request(failure: Failure) -> None:
    bench = failing_from(100, failure, end=7300)
    assert Counter(bench.statuses) == {"succeeded": 5000}
    assert max(result.attempts for result in bench.sink.results) <= 2
    assert bench.diary.notices[-1] == "m answers again"
    assert len(bench.diary.sent) <= 5000 + 5 + 8 + 7200 / 25, "probes are up to a minute apart, at random"


@pytest.mark.parametrize(
    ("failure", "most", "exit_code"),
    [
        (Failure("auth", "wrong key", http_status=401), 1, 7),
        (REJECTED, 5, 7),
        (FLAGGED, 8, 7),
        (UNPAID, 8, 7),
        (Failure("bad_request", "no such model", http_status=404), 1, 7),
        (Failure("empty", "nothing was said"), 8 * 8, 7),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_an_endpoint_that_has_never_answered_costs_a_handful(
    failure: Failure, most: int, exit_code: int
) -> None:
    bench = Bench({"m": always(0.1, failure)}, {"m": rows(1000)})
    bench.play()
    parking = bench.scheduler.queues[0].parking
    assert parking is not None
    assert parking.exit_code == exit_code
    assert len(bench.diary.sent) <= most


def test_a_server_that_starts_up_is_waited_for() -> None:
    bench = failing_from(0, UNAVAILABLE, end=600)
    assert Counter(bench.statuses) == {"succeeded": 5000}


def test_fewer_rejections_than_five_are_the_requests_own() -> None:
    bench = Bench({"m": always(0.1, REJECTED)}, {"m": rows(4)})
    bench.play()
    assert Counter(bench.statuses) == {"failed": 4}
    assert len(bench.diary.sent) == 4


def test_prompts_that_are_too_long_fail_one_by_one() -> None:
    bench = Bench({"m": always(0.1, TOO_LONG)}, {"m": rows(50)})
    bench.play()
    assert Counter(bench.statuses) == {"failed": 50}


def test_a_job_with_a_single_request_follows_the_table_of_retries() -> None:
    bench = Bench({"m": always(0.1, SERVER_ERROR)}, {"m": rows(1)}, max_attempts=3)
    bench.play()
    (result,) = bench.sink.results
    assert (result.status, result.attempts) == ("failed", 3)


# Earlier runs


def test_a_request_answered_by_an_earlier_run_clears_the_first_suspect() -> None:
    """The only new document is refused: a request of an earlier run shows that the document is at fault."""
    yesterday = rows(1)[0]

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, OK if request.id == yesterday.id else SERVER_ERROR

    new = [replace(yesterday, id=f"new-{number}") for number in range(3)]
    bench = Bench({"m": script}, {"m": new}, reference=yesterday, max_attempts=3)
    bench.play()
    assert Counter(bench.statuses) == {"failed": 3}
    assert bench.scheduler.checks >= 1


def test_the_first_request_is_one_that_has_not_failed_before() -> None:
    job, candidates = rows(3), Candidates()
    for each, has_failed in zip(job, [True, True, False], strict=True):
        candidates.to_send(each, has_failed=has_failed)
    bench = Bench({"m": always(1, OK)}, {"m": job}, candidates={"m": candidates})
    bench.play()
    assert bench.diary.sent[0][1] == "m-2"
    assert Counter(result.id for result in bench.sink.results) == {"m-0": 1, "m-1": 1, "m-2": 1}


# Too many requests


def test_forty_rows_at_a_gateway_with_twenty_requests_a_minute_all_succeed() -> None:
    admitted: list[float] = []

    def gateway(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        now = anyio.current_time()
        if sum(at > now - 60 for at in admitted) >= 20:
            return 0.05, SLOW_DOWN
        admitted.append(now)
        return 1, OK

    bench = Bench({"m": gateway}, {"m": rows(40)}, max_attempts=3)
    bench.play()
    assert Counter(bench.statuses) == {"succeeded": 40}


def test_a_refused_request_goes_before_new_ones() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, replace(SLOW_DOWN, retry_after=2) if request.id == "m-5" and attempt == 1 else OK

    bench = Bench({"m": script}, {"m": rows(100)}, limit=2)
    bench.play()
    second = [index for index, (_, name) in enumerate(bench.diary.sent) if name == "m-5"][1]
    assert second <= 5 + 2 * 5


def test_a_request_that_alone_is_refused_for_the_time_of_an_outage_fails() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, SLOW_DOWN if request.id == "m-5" else OK

    bench = Bench({"m": script}, {"m": rows(2000)}, limit=2, outage=600)
    bench.play()
    assert Counter(bench.statuses) == {"succeeded": 1999, "failed": 1}
    (result,) = [each for each in bench.sink.results if each.error is not None]
    assert result.error is not None
    assert (result.id, result.error.code) == ("m-5", "http_429")
    assert result.attempts >= 8


def test_a_run_that_is_refused_everything_for_the_time_of_an_outage_stops() -> None:
    bench = Bench({"m": always(0.1, SLOW_DOWN)}, {"m": rows(100)}, outage=600)
    bench.play()
    parking = bench.scheduler.queues[0].parking
    assert parking is not None
    assert (parking.code, parking.exit_code) == ("http_429", 75)
    assert bench.sink.results == []
    assert 600 <= bench.diary.sent[-1][0] - bench.diary.sent[0][0] <= 700


# Pools


def test_another_endpoint_is_tried_before_a_suspect_fails() -> None:
    def strict(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return (0.1, FLAGGED) if request.id in named(range(5, 10)) else (1, OK)

    bench = Bench(
        {"strict": strict, "lax": always(1, OK)}, {"m": rows(60)}, pools={"m": ("strict", "lax")}, limit=4
    )
    bench.play()
    assert Counter(bench.statuses) == {"succeeded": 60}


def test_an_unknown_finish_reason_parks_the_target_on_its_first_request_or_the_third_time() -> None:
    unknown = Failure("unknown_finish", "what is `fini`?", first_byte=0.1, partial_text="Hello")
    first = Bench({"m": always(1, unknown)}, {"m": rows(100)})
    first.play()
    assert first.statuses == ["failed"]

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, unknown if request.id in named([10, 20, 30, 40]) else OK

    later = Bench({"m": script}, {"m": rows(100)}, limit=1)
    later.play()
    assert Counter(later.statuses) == {"succeeded": 28, "failed": 3}
    parking = later.scheduler.queues[0].parking
    assert parking is not None
    assert (parking.code, parking.exit_code) == ("unknown_finish", 7)
