"""Answers that do not match the response format: sent again with the errors, and finally kept as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
import trio.testing

from batch.checking.messages import CheckResult
from batch.jobfile import load
from batch.observers import Observers
from batch.providers.scripted import ScriptedProvider
from batch.records import Failure, Rate, Reply, Request, Usage, Verdict
from batch.runner import Run
from batch.scheduling.answer_validation import Acceptance, Unchecked
from batch.scheduling.retry import RetryPolicy
from batch.scheduling.scheduler import Scheduler
from batch.scheduling.target_queue import TargetQueue
from batch.scheduling.task import Task
from batch.testing import FaultServer
from batch.testing.replies import answer
from tests.support.cli_support import Cli, in_thread
from tests.support.engine_support import START, MemorySink
from tests.support.jobfile_support import HEAD, diagnostics_of, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch.records import Outcome, Result
    from batch.scheduling.answer_validation import OnLength
    from batch.testing.fault_server import Received

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
ASKED = {"role": "user", "content": "How many?"}

GOOD = Reply('{"n": 3}', Verdict.COMPLETE, "stop", usage=Usage(1, 2, 3), total=1.0)
WRONG = Reply('{"n": "three"}', Verdict.COMPLETE, "stop", usage=Usage(1, 2, 3), total=1.0)
PROSE = Reply("Three, and that is a long story.", Verdict.COMPLETE, "stop", total=1.0)
CUT = Reply('{"n"', Verdict.LENGTH, "length", total=1.0)
LOST = Failure("truncated", "cut")


def played(
    *outcomes: Outcome,
    params: dict[str, Any] | None = None,
    on_length: OnLength = "accept",
    validation_retries: int = 2,
    max_attempts: int = 8,
) -> tuple[Result, list[Request], float]:
    """The result of one request whose attempts end like this, what was sent, and the seconds that it took."""
    params = {"response_format": FORMAT} if params is None else params
    sent: list[Request] = []

    def script(request: Request, attempt: int) -> tuple[float, Outcome]:
        sent.append(request)
        return 1.0, outcomes[attempt - 1]

    policy = RetryPolicy(max_attempts=max_attempts, validation_retries=validation_retries)
    queue = TargetQueue(
        "m",
        iter([Request("a", "f", "m", "m", (ASKED,), params)]),
        limit=4,
        policy=policy,
        outage=60,
        random=lambda: 0.5,
    )
    sink = MemorySink()
    run = Run(
        Scheduler([queue], 4),
        {"m": ScriptedProvider(script)},
        sink,
        Observers([]),
        clock=lambda: START,
        acceptance=Acceptance(on_length, max_attempts),
    )

    async def main() -> float:
        began = anyio.current_time()
        await run.run()
        return anyio.current_time() - began

    seconds = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    (result,) = sink.results
    return result, sent, seconds


def codes(result: Result) -> list[str]:
    return [mishap.code for mishap in result.error.history] if result.error else []


def test_a_value_that_fits_stands_in_the_result() -> None:
    result, sent, _ = played(GOOD)
    assert (result.status, result.text, result.parsed) == ("succeeded", '{"n": 3}', {"n": 3})
    assert sent[0].params == {"response_format": FORMAT}


def test_a_wrong_answer_is_asked_for_again_with_what_is_wrong() -> None:
    result, (first, second), seconds = played(WRONG, GOOD)
    assert (result.status, result.parsed, result.attempts) == ("succeeded", {"n": 3}, 2)
    assert first.messages == (ASKED,)
    assert second.messages[:2] == (ASKED, {"role": "assistant", "content": WRONG.text})
    assert second.messages[2]["role"] == "user"
    assert second.messages[2]["content"].endswith("\n\n$.n: 'three' is not of type 'integer'")
    assert (second.id, second.fingerprint) == (first.id, first.fingerprint)
    assert seconds < 2.5, "an answer of the wrong form is no reason to spare the endpoint"


def test_only_the_last_wrong_answer_is_shown_again() -> None:
    _, sent, _ = played(WRONG, PROSE, GOOD)
    assert [len(request.messages) for request in sent] == [1, 3, 3]
    assert sent[2].messages[1]["content"] == PROSE.text


def test_what_a_wrong_answer_says_of_the_server_s_rate_is_heard() -> None:
    _, sent, seconds = played(msgspec.structs.replace(WRONG, rate=Rate(0, 30.0)), GOOD)
    assert len(sent) == 2
    assert seconds >= 1 + 30 + 1, "nothing was left until then"


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (2, 3)])
def test_after_so_many_the_request_has_failed_and_keeps_its_last_text(retries: int, attempts: int) -> None:
    outcomes = [PROSE] * retries + [WRONG]
    result, sent, _ = played(*outcomes, validation_retries=retries)
    assert len(sent) == result.attempts == attempts
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == ("invalid_output", True)
    assert (result.text, result.partial_text, result.parsed) == (None, WRONG.text, None)
    assert result.usage == WRONG.usage


def test_max_attempts_bound_them_too() -> None:
    result, sent, _ = played(WRONG, WRONG, validation_retries=9, max_attempts=2)
    assert len(sent) == 2
    assert codes(result) == ["invalid_output", "invalid_output"]


def test_other_failures_are_counted_apart_and_the_correction_stays() -> None:
    result, sent, _ = played(WRONG, LOST, LOST, WRONG, GOOD)
    assert result.status == "succeeded"
    assert [len(request.messages) for request in sent] == [1, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "reply",
    [
        msgspec.structs.replace(GOOD, text="", refusal="I cannot."),
        msgspec.structs.replace(GOOD, text="", tool_calls=[{"id": "c"}]),
    ],
)
def test_a_refusal_and_a_call_of_a_tool_are_answers_of_another_kind(reply: Reply) -> None:
    result, _, _ = played(reply)
    assert (result.status, result.parsed) == ("succeeded", None)


# Answers that were cut off at their limit


def test_what_was_cut_off_is_accepted_unless_the_job_says_otherwise() -> None:
    result, _, _ = played(CUT, params={"max_tokens": 5})
    assert (result.status, result.verdict) == ("succeeded", Verdict.LENGTH)


def test_it_can_be_asked_for_once_more_with_twice_the_limit() -> None:
    result, sent, _ = played(CUT, GOOD, params={"max_tokens": 5, "seed": 1}, on_length="retry")
    assert (result.status, result.verdict, result.attempts) == ("succeeded", Verdict.COMPLETE, 2)
    assert [request.params for request in sent] == [
        {"max_tokens": 5, "seed": 1},
        {"max_tokens": 10, "seed": 1},
    ]


@pytest.mark.parametrize(
    ("outcomes", "params", "max_attempts"),
    [((CUT, CUT), {"max_completion_tokens": 5}, 8), ((CUT,), {}, 8), ((CUT,), {"max_tokens": 5}, 1)],
    ids=["once is enough", "no limit of its own", "no attempt left"],
)
def test_then_it_is_accepted(outcomes: Sequence[Outcome], params: dict[str, Any], max_attempts: int) -> None:
    result, sent, _ = played(*outcomes, params=params, on_length="retry", max_attempts=max_attempts)
    assert len(sent) == len(outcomes)
    assert (result.status, result.verdict, result.text) == ("succeeded", Verdict.LENGTH, CUT.text)


def test_or_it_has_failed_for_good() -> None:
    result, sent, _ = played(CUT, params={"max_tokens": 5}, on_length="fail")
    assert len(sent) == 1
    assert result.error is not None
    assert (result.error.code, result.error.retryable, result.partial_text) == ("length", False, CUT.text)


def test_an_answer_cut_off_in_the_middle_of_its_json_gets_its_tokens_first() -> None:
    params = {"max_tokens": 5, "response_format": FORMAT}
    result, sent, _ = played(CUT, WRONG, GOOD, params=params, on_length="retry")
    assert (result.status, result.parsed) == ("succeeded", {"n": 3})
    assert [(len(r.messages), r.params["max_tokens"]) for r in sent] == [(1, 5), (1, 10), (3, 10)]


@pytest.mark.parametrize(
    "schema",
    [SCHEMA, {**SCHEMA, "patternProperties": {"^x": {"type": "string"}}}],
    ids=["checked here", "checked in a process of its own"],
)
def test_json_that_was_cut_off_at_its_limit_fails_as_that_and_is_not_asked_for_again(
    schema: dict[str, Any],
) -> None:
    demand = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    acceptance = Acceptance()
    request = Request("a", "f", "m", "m", (ASKED,), {"response_format": demand})
    task = Task(request, request, "m", "m", 0.0)
    judged = acceptance.judge(task, CUT)
    assert isinstance(judged, Unchecked) == (schema is not SCHEMA)
    if isinstance(judged, Unchecked):
        judged = acceptance.conclude(task, judged.reply, CheckResult("is not JSON"))
    assert isinstance(judged, Failure)
    assert (judged.code, judged.should_retry, judged.partial_text) == ("length", False, CUT.text)
    assert task.to_send is task.request


# Job files

JOB = HEAD + "prompt: a\n"
ERRORS = [
    (
        "response_format: json\n",
        (
            "5:18: response_format: expected keys and values, got text; "
            "write `response_format: {type: json_object}`"
        ),
    ),
    (
        "response_format: {type: json_schema}\n",
        (
            "5:1: response_format: `json_schema.schema` is missing; "
            "write `json_schema: {name: answer, schema: {type: object, …}}`"
        ),
    ),
    (
        "params: {response_format: {}}\n",
        (
            "5:10: params.response_format: expected keys and values with a `type`; "
            "write `{type: json_object}` or `{type: json_schema, …}`"
        ),
    ),
    (
        "response_format: {type: json_object}\nparams: {response_format: {type: text}}\n",
        "6:10: params.response_format: cannot be combined with the job's `response_format`; keep one of them",
    ),
    (
        "on_length: again\n",
        "5:12: on_length: expected `accept`, `retry` or `fail`",
    ),
    ("retries: {validation_retries: -1}\n", "5:31: retries.validation_retries: must be at least 0"),
]


@pytest.mark.parametrize(("text", "said"), ERRORS)
def test_an_error_is_named_before_anything_is_sent(text: str, said: str, tmp_path: Path) -> None:
    assert diagnostics_of(lambda: load(write(tmp_path, JOB + text))) == [said]


# The command


def test_the_command_asks_again_and_ends_with_the_value(cli: Cli) -> None:
    asked: list[dict[str, Any]] = []

    def script(received: Received) -> Any:
        asked.append(json.loads(received.body))
        return answer(WRONG.text if len(asked) == 1 else GOOD.text)

    with in_thread(FaultServer(script)) as server:
        job = {
            "provider": "openai",
            "base_url": f"{server.url}/v1",
            "model": "m",
            "prompt": "How many?",
            "response_format": FORMAT,
        }
        (cli.folder / "job.yaml").write_text(json.dumps(job), encoding="utf-8")
        ended = cli("run", "job.yaml")
    assert ended.code == 0, ended.stderr
    (line,) = (cli.folder / "output" / "job.jsonl").read_text(encoding="utf-8").splitlines()
    result = json.loads(line)
    assert (result["parsed"], result["attempts"]) == ({"n": 3}, 2)
    assert [body["response_format"] for body in asked] == [FORMAT, FORMAT]
    assert len(asked[1]["messages"]) == 3
