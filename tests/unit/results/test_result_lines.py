"""The result line of a request: what it keeps of the last outcome, and which requests are sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batch.records import Failure, Reply, Request, Result, Verdict
from batch.results import result_line
from batch.results.result_line import Keep
from batch.scheduling.answer_validation import Acceptance, OnLength
from batch.scheduling.retry import Fail, RetryPolicy
from batch.scheduling.target_queue import TargetQueue

if TYPE_CHECKING:
    from batch.scheduling.task import Task

ASKED = {"role": "user", "content": "?"}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.5}]}
ANSWER = Reply(
    "All of it.",
    Verdict.COMPLETE,
    "done",
    reasoning="Hm.",
    tool_calls=[{"id": "a"}],
    refusal="No.",
    served_by="m-1",
    logprobs=LOGPROBS,
)
UNKNOWN = Failure(
    "unknown_finish", "?", finished=True, partial_text="raw", finish_reason="done", answer=ANSWER
)
EMPTY = Failure("empty_length", "?", finished=True, finish_reason="length")


def work_of(**params: Any) -> Task:
    request = Request("a", "f", "target", "model", (ASKED,), params)
    queue = TargetQueue(
        "target", iter([request]), limit=1, policy=RetryPolicy(), outage=60, random=lambda: 0.5
    )
    task = queue.take(0.0)
    assert task is not None
    task.attempts = 1
    return task


def line_of(failure: Failure, task: Task, keep: Keep = Keep()) -> Result:  # noqa: B008 - a frozen value
    decision = Fail(failure.code, retryable=False)
    return result_line.failed(task, failure, decision, keep, before=None, at="now")


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": None}, None),
        ({"logprobs": True}, LOGPROBS),
        ({"logprobs": 0}, None),
        ({"logprobs": 5}, LOGPROBS),
        ({"top_logprobs": 2}, LOGPROBS),
        ({"extra_body": {"logprobs": True}}, LOGPROBS),
    ],
    ids=str,
)
def test_log_probabilities_are_kept_if_the_request_asked_for_them(params: Any, kept: Any) -> None:
    task = work_of(**params)
    assert result_line.succeeded(task, ANSWER, Keep(), at="now").logprobs == kept
    assert line_of(UNKNOWN, task).logprobs == kept


def test_the_target_is_named() -> None:
    task = work_of()
    lines = [result_line.succeeded(task, ANSWER, Keep(), at="now"), line_of(EMPTY, task)]
    assert [(line.target, line.model) for line in lines] == [("target", "model")] * 2
    assert result_line.refused(task.request, "no", "now").target == "target"


def test_an_answer_with_an_unknown_finish_reason_is_kept_completely() -> None:
    task = work_of()
    task.partial_text = "a longer text that an earlier attempt had left"
    line = line_of(UNKNOWN, task)
    assert (line.status, line.text, line.partial_text) == ("failed", None, "All of it.")
    assert (line.finish_reason, line.reasoning, line.refusal) == ("done", "Hm.", "No.")
    assert (line.tool_calls, line.served_by) == ([{"id": "a"}], "m-1")
    assert line_of(UNKNOWN, task, Keep(reasoning=False)).reasoning is None


def test_the_finish_reason_of_a_failure_is_kept_where_the_answer_had_ended() -> None:
    assert line_of(EMPTY, work_of()).finish_reason == "length"
    assert line_of(Failure("truncated", "?", finish_reason="stop"), work_of()).finish_reason is None


@pytest.mark.parametrize(
    ("on_length", "params", "failures", "limit"),
    [
        ("retry", {"max_tokens": 5}, [], 10),
        ("retry", {"max_completion_tokens": 5}, ["truncated"], 10),
        ("retry", {"max_tokens": 5}, ["empty_length"], None),
        ("retry", {"max_tokens": 5}, ["length"], None),
        ("retry", {"max_tokens": 5}, ["truncated"] * 7, None),
        ("retry", {}, [], None),
        ("accept", {"max_tokens": 5}, [], None),
        ("fail", {"max_tokens": 5}, [], None),
    ],
)
def test_an_answer_that_never_began_is_requested_once_more_with_a_larger_limit(
    on_length: OnLength, params: Any, failures: list[str], limit: int | None
) -> None:
    task = work_of(**params)
    task.failures = failures
    outcome = Acceptance(on_length).judge(task, EMPTY)
    assert isinstance(outcome, Failure)
    assert outcome.should_retry is (None if limit is None else True)
    sent = None if task.to_send is task.request else [*task.to_send.params.values()]
    assert sent == (None if limit is None else [limit])


def test_other_failures_are_not_changed() -> None:
    task = work_of(max_tokens=5)
    assert Acceptance("retry").judge(task, UNKNOWN) is UNKNOWN
