"""Single events: unusual ones that do no harm, damaged ones, and events with errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch.records import Reply, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    BOM,
    DONE,
    GOOD,
    HELLO,
    USAGE,
    delta,
    event,
    failure,
    finish,
    reply,
)

# Events that are odd


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b": ping\n\n", id="a comment"),
        pytest.param(b"event: ping\nid: 7\nretry: 10\n\n", id="an event without data"),
        pytest.param(b"event: unheard-of\ndata: {}\n\n", id="an unknown event"),
        pytest.param(b"datum: x\n\n", id="an unknown field"),
        pytest.param(b"data:\n\n", id="empty data"),
        pytest.param(b"data\ndata\n\n", id="an empty line as data"),
        pytest.param(event(None), id="null"),
        pytest.param(event(7), id="a number"),
        pytest.param(b"data: true\n\n", id="a truth"),
        pytest.param(event(""), id="an empty string"),
        pytest.param(event([]), id="an empty list"),
        pytest.param(event({"choices": [None, []]}), id="choices that are empty"),
        pytest.param(event({"choices": [{"delta": []}]}), id="delta: []"),
        pytest.param(event({"choices": [{"finish_reason": False}]}), id="finish_reason: false"),
        pytest.param(event({"choices": [{"finish_reason": "null"}]}), id='finish_reason: "null"'),
        pytest.param(event({"choices": [{"index": "1", "delta": {"content": "no"}}]}), id='index: "1"'),
        pytest.param(event({"choices": [{"index": True, "delta": {}}]}), id="index: true, no words"),
        pytest.param(event({"choices": [{"index": 1.0, "delta": {"content": 7}}]}), id="index: 1.0"),
        pytest.param(event({"message": "position 3 in the queue"}), id="a possible error"),
        pytest.param(event({"status": "processing"}), id="a status"),
        pytest.param(event({}), id="an empty object"),
        pytest.param(event({"choices": None}), id="choices: null"),
        pytest.param(event({"choices": []}), id="choices: []"),
        pytest.param(event({"choices": {}}), id="choices: {}"),
        pytest.param(event({"choices": [{}]}), id="a choice without a delta"),
        pytest.param(event({"choices": [{"delta": None}]}), id="delta: null"),
        pytest.param(event({"choices": [{"delta": {}}]}), id="delta: {}"),
        pytest.param(event({"choices": [{"delta": {"content": None}}]}), id="content: null"),
        pytest.param(event({"choices": [{"delta": {"role": "assistant"}}]}), id="a role alone"),
        pytest.param(event({"choices": [{"index": 1, "delta": {"content": "no"}}]}), id="another choice"),
        pytest.param(event({"choices": [{"index": 1, "finish_reason": "stop"}]}), id="another's finish"),
        pytest.param(event({"finish_reason": []}), id="finish_reason: a list"),
        pytest.param(event({"error": None}), id="error: null"),
        pytest.param(event({"error": {}}), id="error: {}"),
        pytest.param(event({"usage": None}), id="usage: null"),
        pytest.param(event({"usage": "much"}), id="usage: a string"),
        pytest.param(event({"x": 10**30, "y": -(10**400)}), id="numbers beyond 64 bits"),
        pytest.param(b'data: {"x": 1e999, "y": NaN, "z": -Infinity}\n\n', id="NaN and infinity"),
        pytest.param(b'data: {"x": "\\ud83d"}\n\n', id="a lone half"),
        pytest.param(event({"x": "a" * 2**20}), id="a megabyte"),
        pytest.param(b'data: {"x": ' + b"[" * 500 + b"]" * 500 + b"}\n\n", id="500 levels"),
        pytest.param(b'data: {"choices":\ndata: []}\n\n', id="JSON on two lines"),
    ],
)
def test_an_unusual_event_does_no_harm(odd: bytes) -> None:
    for body in (odd + GOOD, delta("Hel") + odd + delta("lo") + finish() + DONE, HELLO + odd + finish()):
        assert reply(body) == Reply("Hello", Verdict.COMPLETE, "stop")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(b"data: {\n\n", "bad_event", id="half an object"),
        pytest.param(b"data: hello\n\n", "bad_event", id="a word"),
        pytest.param(b"data: {'a': 1}\n\n", "bad_event", id="single quotes"),
        pytest.param(b"data: {}{}\n\n", "bad_event", id="two objects"),
        pytest.param(b'data: {"a": "\0"}\n\n', "bad_event", id="NUL in a string"),
        pytest.param(b"data: " + BOM + b"{}\n\n", "bad_event", id="a BOM before the object"),
        pytest.param(b"data: " + b"[" * 10**5 + b"]" * 10**5 + b"\n\n", "bad_event", id="100 000 levels"),
        pytest.param(b'data: {"error": ' + b"9" * 5000 + b"}\n\n", "bad_event", id="a number of 5000 digits"),
        pytest.param(delta("é").replace(b"\xc3\xa9", b"\xc3"), "encoding", id="half a character"),
        pytest.param(delta("é").replace(b"\xc3\xa9", b"\xe9"), "encoding", id="Latin-1"),
        pytest.param(delta("e").replace(b'"e"', b'"\xed\xa0\x80"'), "encoding", id="a half as UTF-8"),
        pytest.param(delta("e").replace(b'"e"', b'"\xc0\xae"'), "encoding", id="an overlong dot"),
        pytest.param(delta("e").replace(b'"e"', b'"\xf5\x80\x80\x80"'), "encoding", id="beyond Unicode"),
    ],
)
def test_an_event_that_cannot_be_read_is_a_failure(bad: bytes, code: str) -> None:
    outcome = failure(HELLO + bad + finish() + DONE)
    assert (outcome.code, outcome.partial_text) == (code, "Hello")


# Errors inside the stream


@pytest.mark.parametrize(
    ("error", "message", "final"),
    [
        ("overloaded", "overloaded", False),
        ({"message": "overloaded"}, "overloaded", False),
        ({"type": "overloaded_error", "message": "busy"}, "overloaded_error: busy", False),
        ({"code": "rate_limit_exceeded", "message": "slow"}, "rate_limit_exceeded: slow", False),
        ({"code": 503, "message": "busy"}, "503: busy", False),
        ({"code": 429, "type": "too_many", "message": "slow"}, "too_many: slow", False),
        ({"code": 408, "message": "late"}, "408: late", False),
        ({"code": 400, "message": "no"}, "400: no", True),
        ({"code": "400", "type": "BadRequestError", "message": "no"}, "BadRequestError: no", True),
        ({"type": "invalid_request_error", "message": "no"}, "invalid_request_error: no", True),
        ({"code": "context_length_exceeded", "message": "long"}, "context_length_exceeded: long", True),
        ({"code": None, "type": None}, "the server reported an error without a message", False),
        ({"code": "²²²", "message": "odd"}, "²²²: odd", False),
        ({"code": "١٢٣", "message": "odd"}, "odd", False),
        ({"code": 10**30, "message": "odd"}, "odd", False),
        (["a", {"b": 1}], '["a", {"b": 1}]', False),
        (7, "7", False),
        (True, "true", False),
        ({"message": {"text": "deep"}}, '{"text": "deep"}', False),
    ],
    ids=str,
)
def test_an_error_event_is_a_failure_at_any_place(error: Any, message: str, final: bool) -> None:
    for before, said in ((b"", None), (delta("Hel"), "Hel"), (HELLO + finish(), "Hello")):
        outcome = failure(before + event({"error": error}) + DONE)
        assert (outcome.code, outcome.message) == ("api_error", message)
        assert outcome.should_retry is (False if final else None)
        assert outcome.partial_text == said


@pytest.mark.parametrize(
    "error",
    [
        {"code": "insufficient_quota"},
        {"type": "insufficient_quota", "code": 429},
        {"code": "billing_hard_limit_reached", "status": 403},
        {"code": 429, "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]},
    ],
    ids=str,
)
def test_a_used_up_quota_is_classified_as_a_quota_before_any_output(error: Any) -> None:
    for body in (
        event({"error": error}),
        b"event: error\n" + event(error),
        json.dumps({"error": error}).encode(),
    ):
        outcome = failure(body)
        assert (outcome.code, outcome.should_retry) == ("quota", None)
    after_words = failure(HELLO + event({"error": error}))
    assert (after_words.code, after_words.should_retry, after_words.partial_text) == (
        "api_error",
        False,
        "Hello",
    )


@pytest.mark.parametrize(
    "error",
    [{"code": "insufficient_quota", "status": 400}, {"code": 429}, {"code": "rate_limit_exceeded"}],
    ids=str,
)
def test_what_is_no_quota(error: Any) -> None:
    assert failure(event({"error": error})).code == "api_error"


@pytest.mark.parametrize(
    "before", [b"", HELLO, HELLO * 20, HELLO + finish()], ids=["", "run", "long", "finish"]
)
def test_an_overload_reported_inside_an_answer_is_recognized(before: bytes) -> None:
    assert failure(before + event({"error": {"type": "overloaded_error"}}) + DONE).overloaded
    assert not failure(before + event({"error": {"type": "server_error"}}) + DONE).overloaded


def test_a_hostile_error_is_cut_and_can_be_written_down() -> None:
    error = b'{"type": "' + b"t" * 10**6 + b'", "message": "' + rb"\ud83d" * 10**5 + b'"}'
    outcome = failure(b'data: {"error": ' + error + b"}\n\n")
    assert len(outcome.message) <= 501
    outcome.message.encode()


# What the clocks look at


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        (True, delta("a")),
        (True, delta(reasoning_content="a")),
        (True, delta(reasoning="a")),
        (True, delta(refusal="a")),
        (True, delta(tool_calls=[{"index": 0, "id": "a"}])),
        (True, delta(tool_calls=[{"index": 0, "function": {"arguments": "{"}}])),
        (False, delta(tool_calls=[{"index": 0}])),
        (False, b": ping\n\n"),
        (False, b"event: ping\ndata: {}\n\n"),
        (False, delta("")),
        (False, delta(None)),
        (False, event({"choices": [{"delta": {"role": "assistant"}}]})),
        (False, event({"usage": USAGE})),
        (False, b'data: {"choices": [{"delta": {"content": "never clo'),
        (False, event({"choices": [{"index": 1, "delta": {"content": "a"}}]})),
    ],
)
def test_only_what_the_model_says_counts_as_a_delta(said: bool, piece: bytes) -> None:
    decoder = ReplyDecoder("text/event-stream")
    decoder.feed(piece)
    assert (decoder.message.deltas > 0) is said
