"""What a run came to: its summary is a function of its plan, its counts and its outcome."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from batch.app.run import summary
from batch.app.run.outcome import RunOutcome
from batch.app.run.plan import Plan
from batch.app.run.quotas import Spending
from batch.app.run.run_statistics import Statistics
from batch.app.run.summary import RunStart
from batch.errors import InputsChangedError, OutputWriteError, PromptJobsError
from batch.events import AttemptStarted, ResultsDurable
from batch.jobfile import load_mapping
from batch.records import Request
from batch.results.result_line import unreadable
from batch.scheduling.resume import State
from batch.scheduling.retry import Parking

if TYPE_CHECKING:
    from pathlib import Path

    from batch.run_summary import Summary

REFUSED = Parking("http_401", "HTTP 401: invalid key")
OUT = Parking("connect", "connection refused", exit_code=75)


def summary_of(
    folder: Path,
    outcome: RunOutcome,
    *,
    pending: int = 0,
    failed: int = 0,
    fail_fast: bool = False,
    error: PromptJobsError | None = None,
) -> Summary:
    job = load_mapping({"provider": "openai", "model": "m", "base_url": "http://h", "prompt": "?"}, folder)
    plan, statistics = Plan(), Statistics()
    plan.states[State.NEW] = plan.to_send["m"] = pending + failed
    for number in range(failed):
        request = Request(f"r{number}", "f", "m", "m", ({"role": "user", "content": "?"},))
        statistics.observe(AttemptStarted(request))
        statistics.observe(ResultsDurable([unreadable(request, "gone", "2026-01-01T00:00:00Z")]))
    run_start = RunStart.of(job)
    return summary.build(
        job, plan, statistics, outcome, run_start, orphans=0, fail_fast=fail_fast, error=error
    )


CHANGED = InputsChangedError("a document is gone")
LOST = OutputWriteError("the disk is full")


@pytest.mark.parametrize(
    ("outcome", "more", "exit_code", "reasons"),
    [
        (RunOutcome(), {}, 0, []),
        (RunOutcome(), {"pending": 2}, 1, ["2 requests were not sent; run the same command to resume"]),
        (RunOutcome(), {"failed": 1}, 1, []),
        (RunOutcome(), {"failed": 1, "fail_fast": True}, 1, []),
        (
            RunOutcome(),
            {"failed": 1, "pending": 1, "fail_fast": True},
            1,
            ["--fail-fast: a request has failed"],
        ),
        (RunOutcome((("m", REFUSED),)), {"pending": 1}, 7, ["m: http_401: HTTP 401: invalid key"]),
        (RunOutcome((("m", OUT),)), {"pending": 1}, 75, ["m: connect: connection refused"]),
        (RunOutcome(limits=("--limit: 3 requests were sent",)), {}, 0, []),
        (
            RunOutcome(limits=("--limit: 3 requests were sent",)),
            {"pending": 1},
            8,
            ["--limit: 3 requests were sent"],
        ),
        (
            RunOutcome(signal=signal.SIGTERM),
            {"pending": 1},
            143,
            ["SIGTERM: the run was stopped; run the same command to resume"],
        ),
        (RunOutcome(), {"pending": 1, "error": CHANGED}, 1, ["a document is gone"]),
        (
            RunOutcome((("m", OUT),)),
            {"pending": 1, "error": CHANGED},
            75,
            ["m: connect: connection refused", "a document is gone"],
        ),
        (
            RunOutcome((("m", REFUSED),), signal=signal.SIGINT),
            {"pending": 1, "error": LOST},
            74,
            [
                "m: http_401: HTTP 401: invalid key",
                "SIGINT: the run was stopped; run the same command to resume",
                "the disk is full",
            ],
        ),
    ],
)
def test_why_a_run_ended_is_read_from_its_outcome(
    tmp_path: Path, outcome: RunOutcome, more: dict[str, object], exit_code: int, reasons: list[str]
) -> None:
    built = summary_of(tmp_path, outcome, **more)  # type: ignore[arg-type]
    assert (built.exit_code, built.reasons) == (exit_code, reasons)


def test_what_a_run_has_spent_and_met_is_in_its_summary(tmp_path: Path) -> None:
    outcome = RunOutcome(checks=2, held_back="http_429", spending=Spending(0.5, 0.25, 1))
    built = summary_of(tmp_path, outcome, failed=1)
    assert (built.checks, built.held_back) == (2, "http_429")
    assert (built.cost, built.provider_cost, built.unmetered, built.currency) == (0.5, 0.25, 1, "USD")
    assert (built.attempts, built.sent, built.failed, built.pending) == (1, 1, 1, 0)


def test_nothing_sent_costs_nothing_that_is_known(tmp_path: Path) -> None:
    built = summary_of(tmp_path, RunOutcome(), pending=1)
    assert (built.cost, built.provider_cost, built.unmetered) == (None, None, 0)
    assert (built.checks, built.held_back, built.attempts) == (0, None, 0)


def test_an_outcome_raises_the_error_that_ended_the_run() -> None:
    RunOutcome().check()
    with pytest.raises(OutputWriteError):
        RunOutcome(error=LOST).check()
