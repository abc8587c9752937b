"""The engine in virtual time: hours of backoff in milliseconds, on trio's mock clock."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from batch.errors import Diagnostic, InputsChangedError, JobFileError, OutputWriteError
from batch.records import Failure, Known, Reply, Request, Result
from tests.support.engine_support import OK, Bench, MemorySink, always, requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class FullDisk(MemorySink):
    async def write(self, results: Sequence[Result]) -> None:
        raise OutputWriteError("no space left on device")


def test_every_request_gets_one_result() -> None:
    bench = Bench({"m": always(1, OK)}, {"m": requests(100)})
    bench.play()
    assert sorted(result.id for result in bench.sink.results) == sorted(r.id for r in requests(100))
    assert set(bench.statuses) == {"succeeded"}
    assert bench.diary.done == bench.sink.results


def test_only_one_request_is_sent_before_the_endpoint_has_proven_that_it_works() -> None:
    bench = Bench({"m": always(1, OK)}, {"m": requests(30)}, limit=8)
    bench.play()
    times = [at - bench.diary.sent[0][0] for at, _ in bench.diary.sent]
    assert times[:1] == [0]
    assert times[1] == pytest.approx(1)
    assert sum(at == times[1] for at in times) == 8


@pytest.mark.parametrize(
    "failure",
    [
        Failure("auth", "wrong key", http_status=401),
        Failure("quota", "nothing left", http_status=402),
        Failure("tls", "self-signed"),
        Failure("proxy_auth", "407"),
        Failure("bad_request", "no such path", http_status=404),
        Failure("bad_request", "not allowed", http_status=405),
        Failure("connect", "refused"),
    ],
    ids=lambda failure: f"{failure.code}-{failure.http_status}",
)
def test_an_endpoint_that_will_not_have_us_costs_one_request(failure: Failure) -> None:
    bench = Bench({"m": always(0.1, failure)}, {"m": requests(1000)})
    bench.play()
    assert len(bench.diary.sent) == 1
    assert bench.sink.results == []
    held = bench.scheduler.queues[0].parking
    assert held is not None
    assert (held.exit_code, held.why) == (7, failure.message)
    assert bench.diary.notices == [], "the run ends with these words"


def test_a_parked_endpoint_does_not_affect_the_others() -> None:
    scripts = {"bad": always(0.1, Failure("auth", "wrong key", http_status=401)), "good": always(1, OK)}
    bench = Bench(scripts, {"bad": requests(50, "bad"), "good": requests(50, "good")})
    bench.play()
    assert sorted({result.model for result in bench.sink.results}) == ["good"]
    assert len(bench.sink.results) == 50
    assert bench.diary.notices == ["wrong key. Nothing more is sent to bad in this run."]


def test_a_transient_failure_is_retried_without_holding_a_slot() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        if request.id == "m-1" and attempt < 3:
            return 0.01, Failure("http_503", "busy", http_status=503, retry_after=30)
        return 1, OK

    bench = Bench({"m": script}, {"m": requests(20)}, limit=1)
    bench.play()
    assert set(bench.statuses) == {"succeeded"}
    retried = next(result for result in bench.sink.results if result.id == "m-1")
    assert retried.attempts == 3
    assert bench.sink.results.index(retried) == 19
    gaps = [at for at, name in bench.diary.sent if name == "m-1"]
    assert all(later - earlier >= 30 for earlier, later in itertools.pairwise(gaps))


def test_a_failure_keeps_its_history_and_the_longest_partial_text() -> None:
    partial = ["a longer beginning", "short"]

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 0, Failure("truncated", f"cut {attempt}", partial_text=partial[attempt - 1], first_byte=0.1)

    known = {"m-0": Known("f", succeeded=False, retryable=True, runs=2)}
    bench = Bench({"m": script}, {"m": requests(1)}, max_attempts=2, sink=MemorySink(known))
    bench.play()
    (result,) = bench.sink.results
    assert result.error is not None
    assert [mishap.message for mishap in result.error.history] == ["cut 1", "cut 2"]
    assert (result.text, result.partial_text) == (None, "a longer beginning")
    assert (result.error.runs, result.error.retryable) == (3, False)


def test_an_outage_in_the_middle_is_not_charged_to_requests() -> None:
    begin, end = 100.0, 100.0 + 7200

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        if begin < anyio.current_time() - origin[0] < end:
            return 0.01, Failure("connect", "refused")
        return 1, OK

    origin: list[float] = []

    def first(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        origin[:] = origin or [anyio.current_time()]
        return script(request, attempt)

    bench = Bench({"m": first}, {"m": requests(5000)}, outage=3 * 3600, limit=8)
    bench.play()
    assert len(bench.sink.results) == 5000
    assert set(bench.statuses) == {"succeeded"}
    during = [at for at, _ in bench.diary.sent if begin < at - origin[0] < end]
    assert len(during) <= 500


def test_an_outage_longer_than_the_limit_stops_the_run_with_the_others_pending() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        if request.id in {"m-0", "m-1"}:
            return 1, OK
        return 0.01, Failure("connect", "refused")

    bench = Bench({"m": script}, {"m": requests(100)}, outage=600)
    bench.play()
    assert [result.id for result in bench.sink.results] == ["m-0", "m-1"]
    held = bench.scheduler.queues[0].parking
    assert held is not None
    assert held.exit_code == 75


def test_a_snapshot_is_taken_about_once_a_second_and_no_more_often() -> None:
    bench = Bench({"m": always(0.1, OK)}, {"m": requests(400)}, limit=4)
    bench.play()
    assert 9 <= len(bench.diary.snapshots) <= 12  # 400 requests, 4 at a time: 10 seconds
    assert {snapshot.in_flight for snapshot in bench.diary.snapshots[1:-1]} == {4}


def test_draining_lets_requests_in_flight_finish() -> None:
    bench = Bench({"m": always(10, OK)}, {"m": requests(100)}, limit=4)
    bench.play(then=lambda it: it.run.drain(), after=15)
    assert len(bench.sink.results) == 5
    assert len(bench.diary.sent) == 5


def test_cancelling_drops_requests_in_flight_and_writes_finished_results() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return (1, OK) if request.id in {"m-0", "m-1"} else (3600, OK)

    bench = Bench({"m": script}, {"m": requests(100)}, limit=4)
    bench.play(then=lambda it: it.run.cancel(), after=2.01)
    assert [result.id for result in bench.sink.results] == ["m-0", "m-1"]


def test_fail_fast_stops_after_the_first_failure() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, OK if request.id == "m-0" else Failure("bad_request", "no", http_status=422)

    bench = Bench({"m": script}, {"m": requests(100)}, limit=1, fail_fast=True)
    bench.play()
    assert bench.statuses == ["succeeded", "failed"]


def test_a_full_disk_stops_the_run() -> None:
    bench = Bench({"m": always(1, OK)}, {"m": requests(100)}, sink=FullDisk())
    with pytest.raises(ExceptionGroup) as caught:
        bench.play()
    assert caught.group_contains(OutputWriteError, match="no space left")
    assert bench.diary.done == []
    assert len(bench.diary.sent) < 20


def test_running_out_of_descriptors_lowers_the_limit_and_charges_no_request() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        crowded = bench.scheduler.in_flight > 4
        return (0, Failure("fd_limit", "too many open files")) if crowded else (1, OK)

    bench = Bench({"m": script}, {"m": requests(60)}, limit=16, max_attempts=1)
    bench.play()
    assert len(bench.sink.results) == 60
    assert set(bench.statuses) == {"succeeded"}


def test_descriptors_that_do_not_come_back_stop_the_run_like_an_outage() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        first = request.id == "m-0" and attempt == 1
        return (1, OK) if first else (0, Failure("fd_limit", "too many open files"))

    bench = Bench({"m": script}, {"m": requests(60)}, outage=600)
    bench.play()
    assert [result.id for result in bench.sink.results] == ["m-0"]
    held = bench.scheduler.queues[0].parking
    assert held is not None
    assert (held.code, held.exit_code) == ("fd_limit", 75)
    assert len(bench.diary.sent) < 100, "and not ten a second until then"


def test_a_slow_disk_holds_the_attempts_back_and_then_lets_all_of_them_go_on() -> None:
    class SlowDisk(MemorySink):
        async def write(self, results: Sequence[Result]) -> None:
            await anyio.sleep(5)
            self.results.extend(results)

    bench = Bench({"m": always(0.001, OK)}, {"m": requests(4000)}, limit=300, sink=SlowDisk())
    bench.play()
    assert len(bench.sink.results) == 4000


@pytest.mark.parametrize(
    "failure",
    [
        Failure("redirect", "HTTP 301: Moved", http_status=301),
        Failure("not_sse", "a page"),
        Failure("protocol", "no HTTP"),
        Failure("bad_request", "HTTP 415: Unsupported Media Type", http_status=415),
        Failure("http_501", "HTTP 501: Unsupported method", http_status=501),
    ],
    ids=lambda failure: failure.message,
)
def test_another_kind_of_server_fails_the_first_request_only(failure: Failure) -> None:
    bench = Bench({"m": always(0.1, failure)}, {"m": requests(1000)})
    bench.play()
    (result,) = bench.sink.results
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == (failure.code, True)
    assert {name for _, name in bench.diary.sent} == {"m-0"}
    held = bench.scheduler.queues[0].parking
    assert held is not None
    assert held.exit_code == 7


def test_a_server_that_asks_to_wait_for_a_year_is_parked_for_this_run() -> None:
    busy = Failure("http_429", "not today", http_status=429, retry_after=31536000)
    bench = Bench({"m": always(0.1, busy)}, {"m": requests(10)})
    bench.play()
    assert len(bench.diary.sent) == 1
    held = bench.scheduler.queues[0].parking
    assert held is not None
    assert held.exit_code == 75


def test_an_outage_is_announced_and_so_is_its_end() -> None:
    calls = itertools.count(1)

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        return 1, Failure("connect", "refused") if 5 < next(calls) < 12 else OK

    bench = Bench({"m": script}, {"m": requests(10)}, limit=1, outage=600)
    bench.play()
    assert bench.diary.notices == [
        "m is down; it is probed for 600 s at most: refused",
        "m answers again",
    ]
    assert set(bench.statuses) == {"succeeded"}


def test_a_rejected_probe_does_not_end_it() -> None:
    calls = itertools.count(1)

    def script(request: Request, attempt: int) -> tuple[float, Reply | Failure]:
        call = next(calls)
        if call == 6:
            return 1, Failure("connect", "refused")
        return 1, Failure("bad_request", "which model?", http_status=400) if 6 < call < 10 else OK

    bench = Bench({"m": script}, {"m": requests(10)}, limit=1, outage=600)
    bench.play()
    assert bench.diary.notices[-1] == "m answers again"
    assert Counter(bench.statuses) == {"succeeded": 10}
    assert bench.scheduler.checks == 4


def test_a_queue_that_reads_past_rows_lets_the_others_go_on() -> None:
    def late() -> Iterator[Request | None]:
        yield from itertools.repeat(None, 1000)
        yield from requests(3, "late")

    bench = Bench(
        {"late": always(1, OK), "early": always(1, OK)}, {"late": late(), "early": requests(3, "early")}
    )
    bench.play()
    assert set(bench.statuses) == {"succeeded"}
    assert bench.diary.sent[0][1] == "early-0", "though the late one's turn came first"
    assert len(bench.sink.results) == 6


def test_inputs_that_change_while_the_job_runs_end_it_after_the_requests_in_flight() -> None:
    def vanishing() -> Iterator[Request]:
        yield from requests(5)
        raise JobFileError([Diagnostic("six.txt", 0, 0, "", "no such file")])

    bench = Bench({"m": always(1, OK)}, {"m": vanishing()}, limit=2)
    with pytest.raises(ExceptionGroup) as caught:
        bench.play()
    assert caught.group_contains(InputsChangedError, match=r"six\.txt: no such file")
    assert len(bench.sink.results) == 5
