"""Rate limits and budgets in whole runs, in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch.records import Failure, Reply, Request, Usage, Verdict
from batch.scheduling.budget import Budget, FailureLimit
from batch.scheduling.pricing import Price
from batch.scheduling.quota import Quota, Rates
from batch.scheduling.token_bucket import MINUTE
from tests.support.engine_support import Bench, always

if TYPE_CHECKING:
    from batch.providers.scripted import Script
    from batch.records import Outcome

FREE = Rates()


def requests(count: int, *, size: int = 150, name: str = "m", max_tokens: int = 1000) -> list[Request]:
    messages = ({"role": "user", "content": "a" * size},)
    return [
        Request(f"{name}-{n}", "f", name, name, messages, {"max_tokens": max_tokens}) for n in range(count)
    ]


def reply(prompt: int, completion: int) -> Reply:
    usage = Usage(prompt, completion, prompt + completion)
    return Reply("fine", Verdict.COMPLETE, "stop", usage=usage)


def times(bench: Bench, name: str = "m") -> list[float]:
    """Return when each attempt at the model began, relative to the first one."""
    return [at - bench.diary.sent[0][0] for at, request in bench.diary.sent if request.startswith(name)]


def most_in_a_minute(sent: list[float]) -> int:
    return max(sum(begin <= at < begin + MINUTE - 1e-6 for at in sent) for begin in sent)


def test_sixty_requests_a_minute_are_three_hundred_in_five() -> None:
    admission = Quota(Budget(), Rates(requests=60))
    bench = Bench(
        {"m": always(20, reply(40, 20))}, {"m": requests(300)}, limit=64, admissions={"m": admission}
    )
    bench.play()
    assert len(bench.sink.results) == 300
    assert most_in_a_minute(times(bench)) <= 60
    assert 299 <= times(bench)[-1] <= 320, "the pilot went alone for 20 seconds"


def test_retries_count_among_the_requests_of_a_minute() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Outcome]:
        return 1, Failure("http_503", "busy", http_status=503) if attempt == 1 else reply(40, 20)

    admission = Quota(Budget(), Rates(requests=60))
    bench = Bench({"m": script}, {"m": requests(100)}, limit=64, admissions={"m": admission})
    bench.play()
    assert set(bench.statuses) == {"succeeded"}
    assert len(times(bench)) >= 200
    assert most_in_a_minute(times(bench)) <= 60


def test_tokens_per_minute_count_real_usage_and_not_reservations() -> None:
    admission = Quota(Budget(), Rates(tokens=6000))
    bench = Bench(
        {"m": always(20, reply(50, 50))}, {"m": requests(300)}, limit=64, admissions={"m": admission}
    )
    bench.play()
    assert len(bench.sink.results) == 300
    assert most_in_a_minute(times(bench)) * 100 <= 6000 * 1.05
    assert times(bench)[-1] == pytest.approx(5 * MINUTE, rel=0.12)


def test_a_request_larger_than_the_bucket_is_served_and_the_next_ones_wait_for_it() -> None:
    admission = Quota(Budget(), Rates(tokens=100))
    bench = Bench({"m": always(1, reply(400, 100))}, {"m": requests(3)}, admissions={"m": admission})
    bench.play()
    assert times(bench) == pytest.approx([0, 5 * MINUTE, 10 * MINUTE], rel=0.03)


def test_the_limit_of_one_model_does_not_delay_another() -> None:
    budget = Budget()
    admissions = {"slow": Quota(budget, Rates(requests=6)), "fast": Quota(budget, FREE)}
    scripts: dict[str, Script] = dict.fromkeys(admissions, always(1, reply(40, 20)))
    bench = Bench(
        scripts, {name: requests(60, name=name) for name in admissions}, limit=4, admissions=admissions
    )
    bench.play()
    assert times(bench, "fast")[-1] < 20
    assert times(bench, "slow")[-1] == pytest.approx(590)


@pytest.mark.parametrize("limit", [1, 8, 64])
def test_a_budget_ends_the_run_below_its_limit_and_the_other_requests_stay_pending(limit: int) -> None:
    budget = Budget(tokens=10_000)
    bench = Bench(
        {"m": always(5, reply(50, 50))},
        {"m": requests(300)},
        limit=limit,
        admissions={"m": Quota(budget, FREE)},
    )
    bench.play()
    assert bench.scheduler.limited
    assert budget.reached is not None
    assert budget.tokens.known == 100 * len(bench.sink.results)
    assert 10_000 - 1100 < budget.tokens.known <= 10_000
    assert len(bench.diary.sent) == len(bench.sink.results), "what was in flight has ended"


def test_answers_without_usage_are_charged_the_reservation() -> None:
    budget = Budget(cost=0.1)
    silent = Reply("fine", Verdict.COMPLETE, "stop")
    bench = Bench(
        {"m": always(5, silent)},
        {"m": requests(300, max_tokens=1000)},
        admissions={"m": Quota(budget, FREE, Price(0.0, 10.0))},
    )
    bench.play()
    assert len(bench.sink.results) == 10
    assert {result.cost for result in bench.sink.results} == {None}
    assert (budget.cost.known, budget.cost.assumed) == pytest.approx((0, 0.1))


def test_a_result_says_what_all_its_attempts_cost() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Outcome]:
        usage = Usage(100, 10, 110)
        failures = {
            "m-1": [Failure("http_503", "busy", http_status=503), Failure("truncated", "cut", usage=usage)],
            "m-2": [Failure("truncated", "cut")],
        }.get(request.id, [])
        return 1, failures[attempt - 1] if attempt <= len(failures) else reply(100, 50)

    admission = Quota(Budget(), FREE, Price(1.0, 2.0))
    bench = Bench({"m": script}, {"m": requests(3)}, admissions={"m": admission})
    bench.play()
    costs = {result.id: result.cost for result in bench.sink.results}
    assert costs == {"m-0": 0.0002, "m-1": 0.00032, "m-2": None}


def test_a_failure_before_sending_costs_nothing() -> None:
    refused = Failure("http_500", "oops", http_status=500)
    admission = Quota(Budget(), FREE, Price(1.0, 2.0))
    bench = Bench({"m": always(1, refused)}, {"m": requests(1)}, max_attempts=2, admissions={"m": admission})
    bench.play()
    assert [result.cost for result in bench.sink.results] == [0]


def test_too_large_a_share_of_failures_ends_the_run() -> None:
    def script(request: Request, attempt: int) -> tuple[float, Outcome]:
        failed = int(request.id.removeprefix("m-")) % 5 == 4
        return 1, Failure("bad_request", "no", http_status=422) if failed else reply(40, 20)

    budget = Budget(failures=FailureLimit(share=0.1))
    bench = Bench({"m": script}, {"m": requests(300)}, limit=4, admissions={"m": Quota(budget, FREE)})
    bench.play()
    assert 20 <= len(bench.sink.results) < 24
    reached = {f"limits.failures: {failed} of 20 results have failed" for failed in (3, 4)}
    assert budget.reached in reached, "the twentieth may be any of the last four, which end together"


def test_a_reached_limit_does_not_wait_for_requests_that_wait_for_another_reason() -> None:
    """One model waits for half an hour when the other one's failure ends the run."""
    budget = Budget(failures=FailureLimit(number=1))
    scripts: dict[str, Script] = {
        "busy": always(1, Failure("http_429", "later", http_status=429, retry_after=1700)),
        "bad": always(5, Failure("bad_request", "no", http_status=413)),
    }
    admissions = {name: Quota(budget, FREE) for name in scripts}
    bench = Bench(scripts, {name: requests(9, name=name) for name in scripts}, admissions=admissions)
    after_a_minute: list[bool] = []
    bench.play(then=lambda it: after_a_minute.append(it.scheduler.over), after=60)
    assert after_a_minute == [True]
    assert [result.id for result in bench.sink.results] == ["bad-0"]
    assert len(bench.diary.sent) == 2
