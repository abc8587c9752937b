"""Errors are recognized in any shape that servers use, and their message and code are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import CIMultiDict

from batch.records import Failure, Reply, Verdict
from batch.wire.error_classification import from_event, from_status
from tests.support.wire_support import (
    DONE,
    HELLO,
    decoded,
    delta,
    event,
    every_feeding,
    failure,
    finish,
    one_by_one,
    reply,
)

NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)


def named(data: str, name: str = "error") -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


def choice(**fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": ""}, **fields}]})


SHAPES: dict[str, tuple[bytes, str, str, int | None]] = {
    "error": (event({"error": {"message": "m", "code": "c"}}), "c: m", "c", None),
    "error: a text": (event({"error": "m"}), "m", "", None),
    "error, wrapped twice": (
        event({"error": {"error": {"message": "m", "code": 502}}}),
        "502: m",
        "502",
        502,
    ),
    "error, one level down": (event({"response": {"error": {"message": "m"}}}), "m", "", None),
    "error: true, message beside it": (event({"error": True, "message": "m"}), "m", "", None),
    "error: a text, code beside it": (event({"error": "m", "code": 429}), "429: m", "429", 429),
    "type: error": (
        event({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
        "overloaded_error: m",
        "overloaded_error",
        None,
    ),
    "object: error": (
        event({"object": "error", "message": "m", "type": "InternalServerError", "code": 500}),
        "InternalServerError: m",
        "InternalServerError",
        500,
    ),
    "a list": (event([{"error": {"message": "m", "code": 503}}]), "503: m", "503", 503),
    "in a choice": (choice(error={"code": 502, "message": "m"}), "502: m", "502", 502),
    "in a choice with a reason": (
        choice(finish_reason="error", error={"code": 502, "message": "m"}),
        "502: m",
        "502",
        502,
    ),
    "in a choice, before anything": (event({"choices": [{"error": {"message": "m"}}]}), "m", "", None),
    "event name, JSON": (named('{"message":"m","code":"crash"}'), "crash: m", "crash", None),
    "event name, error inside": (named('{"error":{"message":"m","code":500}}'), "500: m", "500", 500),
    "event name, text": (named("m"), "m", "", None),
    "event name, half an object": (named('{"message"'), '{"message"', "", None),
    "event name, JSON text": (named('"m"'), "m", "", None),
    "event name in capitals": (named("m", "ERROR"), "m", "", None),
    "event name after the data": (b"data: m\nevent: error\n\n", "m", "", None),
    "event name, several lines": (b"event:error\ndata:m\ndata:n\n\n", "m\nn", "", None),
    "event name, and another": (b"event: error\nevent: x\ndata: m\n\n", "m", "", None),
    "error field": (b'error: {"code":400,"message":"m","type":"t"}\n\n', "t: m", "t", 400),
    "error field, text": (b"error:m\n\n", "m", "", None),
    "no choices, a code": (event({"code": 500, "message": "m"}), "500: m", "500", 500),
    "no choices, a code as text": (event({"code": "500", "msg": "m"}), "500: m", "500", 500),
    "no choices, a status": (event({"status": 503, "msg": "m"}), "503: m", "503", 503),
    "no choices, a vendor's number": (event({"code": 1302, "msg": "m"}), "m", "1302", None),
    "no choices, status: error": (event({"status": "error", "message": "m"}), "error: m", "error", None),
    "no choices, detail": (event({"detail": "m"}), "m", "", None),
    "no choices, errors": (event({"errors": ["m"]}), '["m"]', "", None),
    "base_resp": (event({"base_resp": {"status_code": 1004, "status_msg": "m"}}), "m", "1004", None),
    "base_resp beside choices: null": (
        event({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "m"}}),
        "m",
        "1002",
        None,
    ),
    "choices: []": (event({"choices": [], "object": "error", "message": "m"}), "m", "", None),
}


@pytest.mark.parametrize(("body", "message", "code", "status"), SHAPES.values(), ids=SHAPES)
def test_an_error_in_every_shape(body: bytes, message: str, code: str, status: int | None) -> None:
    for before, said in (
        (b"", None),
        (HELLO, "Hello"),
        (HELLO * 20, "Hello" * 20),
        (HELLO + finish(), "Hello"),
    ):
        for end in (b"", DONE):
            for parts in ([before + body + end], one_by_one(before + body + end)):
                outcome = decoded(parts)
                assert isinstance(outcome, Failure), outcome
                assert (outcome.code, outcome.message, outcome.partial_text) == ("api_error", message, said)
                assert (outcome.server_code, outcome.error_status) == (code, status)


@pytest.mark.parametrize(
    "body",
    [
        named('{"message": "m"}').rstrip(),
        b"event: error\n",
        b'error: {"message": "m"}',
        event({"error": "m"}).rstrip(),
        event({"choices": [{"error": {"message": "m"}}]}).rstrip(),
    ],
)
def test_an_error_that_ends_the_body_without_an_empty_line(body: bytes) -> None:
    assert failure(HELLO + body).code == "api_error"
    assert failure(HELLO + finish() + body).code == "api_error"


def test_an_error_is_the_same_for_any_split() -> None:
    body = HELLO + named('{"message": "é", "code": 503}')
    assert len({repr(decoded(parts)) for parts in every_feeding(body)}) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"detail": "m"}, "m"),
        ({"detail": [{"loc": ["x"], "msg": "m"}]}, '[{"loc": ["x"], "msg": "m"}]'),
        ({"message": "m"}, "m"),
        ({"msg": "m", "code": 0}, "m"),
        ({"success": False, "message": "m"}, "m"),
        ({"errors": [{"message": "m"}]}, '[{"message": "m"}]'),
        ({"status": 400, "title": "m"}, "400: m"),
        ({"base_resp": {"status_code": 1004, "status_msg": "m"}}, "m"),
        ({"success": False, "errorMsg": "m"}, "m"),
        ({"errorMessage": "m"}, "m"),
        ({"error": "model 'x' not found"}, "model 'x' not found"),
        ({"object": "error", "message": "m"}, "m"),
        ({"choices": None, "message": "m"}, "m"),
        ([{"error": {"message": "m", "code": 429}}], "429: m"),
    ],
    ids=str,
)  # fmt: skip
def test_a_whole_body_without_an_answer(value: Any, message: str) -> None:
    for content_type in ("application/json", "text/event-stream", ""):
        outcome = failure(json.dumps(value).encode(), content_type)
        assert (outcome.code, outcome.message) == ("api_error", message)


@pytest.mark.parametrize(
    "said", [{"message": "in the queue"}, {"msg": "wait"}, {"reason": "x", "type": "ping"}]
)
def test_a_possible_error_is_an_error_only_without_a_finish_reason(said: Any) -> None:
    assert reply(HELLO + event(said) + finish() + DONE) == Reply("Hello", Verdict.COMPLETE, "stop")
    for end in (DONE, b"", event({"usage": {"prompt_tokens": 3}})):
        outcome = failure(HELLO + event(said) + end)
        assert (outcome.code, outcome.partial_text) == ("api_error", "Hello")


@pytest.mark.parametrize(
    "odd",
    [
        b"event: message\n",
        b"event: errors\n",
        b"event: \n",
        b"id: error\n",
        b": error\n",
        b"errors: x\n",
        b'data: {"choices": [], "base_resp": {"status_code": 0, "status_msg": ""}}\n\n',
    ],
)
def test_what_only_looks_like_an_error(odd: bytes) -> None:
    assert reply(odd + HELLO + finish() + DONE).text == "Hello"


# What kind of error it is


@pytest.mark.parametrize(
    ("error", "should_retry", "overloaded", "about_request"),
    [
        ({"code": 400, "message": "m"}, False, False, False),
        ({"code": "404"}, False, False, False),
        ({"code": 429}, None, True, False),
        ({"code": 503}, None, True, False),
        ({"code": 529}, None, True, False),
        ({"code": 500}, None, False, False),
        ({"type": "overloaded_error"}, None, True, False),
        ({"code": "context_length_exceeded"}, False, False, True),
        ({"code": 400, "type": "exceed_context_size_error"}, False, False, True),
        ({"code": "content_filter", "status": 400}, False, False, True),
        ({"code": "model_crash"}, None, False, False),
        ("anything", None, False, False),
    ],
    ids=str,
)
def test_it_is_recognized_by_its_code(
    error: Any, should_retry: bool | None, overloaded: bool, about_request: bool
) -> None:
    outcome = failure(HELLO + event({"error": error}))
    assert (outcome.should_retry, outcome.overloaded) == (should_retry, overloaded)
    assert outcome.about_request is about_request


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"code": "json_validate_failed", "message": "m", "failed_generation": '{"a'}, '{"a'),
        ({"code": "tool_use_failed", "message": "m", "failed_generation": {"a": 1}}, '{"a": 1}'),
        ({"code": "output_parse_failed", "message": "m"}, None),
        ({"code": "something_new", "message": "m", "failed_generation": "x"}, "x"),
        ({"type": "json_validate_failed", "message": "m"}, None),
    ],
    ids=str,
)
def test_an_invalid_answer_that_the_server_found(error: Any, text: str | None) -> None:
    for status in (400, 422):
        outcome = from_status(status, CIMultiDict(), json.dumps({"error": error}).encode(), NOW)
        assert (outcome.code, outcome.http_status, outcome.partial_text) == ("invalid_output", status, text)
        assert outcome.should_retry is None
    inside = from_event(error)
    assert (inside.code, inside.message, inside.partial_text) == ("invalid_output", "m", text)
    assert from_status(500, CIMultiDict(), json.dumps({"error": error}).encode(), NOW).code == "http_500"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"code": "invalid_api_key"}}, "auth"),
        (402, {"error": {"message": "Insufficient Balance"}}, "payment_required"),
        (403, {"error": {"code": 403, "message": "flagged"}}, "forbidden"),
        (403, {"error": {"code": "insufficient_quota"}}, "quota"),
        (429, {"error": {"type": "exceeded_current_quota_error"}}, "quota"),
        (429, {"error": {"details": [{"violations": [{"quotaId": "RequestsPerDay-Free"}]}]}}, "quota"),
        (429, {"error": {"details": [{"violations": [{"quotaId": "RequestsPerMinute-Free"}]}]}}, "http_429"),
        (429, {"error": {"message": "quota per day"}}, "http_429"),
    ],
    ids=str,
)
def test_the_cause_that_a_status_indicates(status: int, body: Any, code: str) -> None:
    assert from_status(status, CIMultiDict(), json.dumps(body).encode(), NOW).code == code


@pytest.mark.parametrize(
    ("status", "body", "server_code", "about_request"),
    [
        (400, {"error": {"code": "invalid_prompt", "type": "invalid_request_error"}}, "invalid_prompt", True),
        (400, {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "x", True),
        (400, {"object": "error", "type": "BadRequestError", "code": 400}, "BadRequestError", False),
        (400, {"detail": "m"}, "", False),
        (403, {"error": {"code": 403}}, "403", False),
        (500, {"error": {"code": "context_length_exceeded"}}, "context_length_exceeded", False),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], "RESOURCE_EXHAUSTED", False),
    ],
    ids=str,
)  # fmt: skip
def test_the_servers_own_code_is_kept(status: int, body: Any, server_code: str, about_request: bool) -> None:
    outcome = from_status(status, CIMultiDict(), json.dumps(body).encode(), NOW)
    assert (outcome.server_code, outcome.about_request) == (server_code, about_request)


# Waits


def info(delay: Any) -> Any:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({"error": {"details": [info("55s")]}}, 55.0),
        ({"error": {"details": [info("1.5s")]}}, 1.5),
        ({"error": {"details": [{"@type": "x"}, info("7s"), info("3s")]}}, 7.0),
        ([{"error": {"details": [info("6s")]}}], 6.0),
        ({"error": {"details": {"deeper": [[info("6s")]]}}}, 6.0),
        ({"error": {"metadata": {"raw": info("6s")}}}, 6.0),
        ({"error": info({"seconds": 6})}, 6.0),
        ({"error": {"retry_after": 2.5}}, 2.5),
        ({"error": {"retry_after": True}}, None),
        ({"error": {"retry_after": -1}}, None),
        ({"error": {"details": [info("soon")]}}, None),
        ({"error": {"details": [info("-6s")]}}, None),
        ({"error": {"details": [info(6)]}}, None),
        ({"error": {"message": "Please try again in 7m12s"}}, None),
        ({"error": {"details": [info("7s"), {"quotaId": "RequestsPerDayPerUser"}]}}, None),
    ],
    ids=str,
)
def test_a_wait_in_the_body(body: Any, wait: float | None) -> None:
    raw = json.dumps(body).encode()
    assert from_status(429, CIMultiDict(), raw, NOW).retry_after == wait
    assert from_status(429, CIMultiDict({"retry-after": "9"}), raw, NOW).retry_after == 9.0


def test_a_wait_inside_an_error_event() -> None:
    assert failure(HELLO + event({"error": {"code": 429, "details": [info("6s")]}})).retry_after == 6.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7m12s"}, 432.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h"}, 3600.0),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "90s",
            },
            90.0,
        ),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "7m12s"}, None),
        ({"x-ratelimit-reset-requests": "7m12s"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795366860"}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795366860000"}, 60.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795366000"}, None),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-22T17:05:00Z",
            },
            300.0,
        ),
    ],
    ids=str,
)
def test_a_used_up_rate_limit_is_a_wait(headers: dict[str, str], wait: float | None) -> None:
    assert from_status(429, CIMultiDict(headers), b"", NOW).retry_after == wait
    assert from_status(503, CIMultiDict(headers), b"", NOW).retry_after is None


def test_a_delta_with_an_error_has_no_other_output() -> None:
    outcome = failure(
        delta("Hel") + event({"choices": [{"delta": {"content": "lo"}, "error": {"message": "m"}}]})
    )
    assert (outcome.message, outcome.partial_text) == ("m", "Hello")
