"""Contradictory responses and errors in addition to an answer: they give no answer. Typed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from batch.records import Failure, Reply
from tests.support.wire_support import DONE, decoded, delta, event, failure, finish, one_by_one, reply, whole

HELLO = delta("Hel") + delta("lo")
LONG = delta("word ") * 20
OOPS = {"message": "over capacity", "code": 503}


def message(text: str | None, **fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "message": {"content": text, **fields}}]})


# Errors beside choices


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"index": 0, "delta": {"error": OOPS}}]},
        {"choices": [{"index": 0, "delta": {"content": "x", "error": OOPS}}]},
        {"choices": [{"index": 0, "message": {"error": OOPS}}]},
        {"choices": [{"index": 0, "delta": {}}, {"index": 1, "error": OOPS}]},
        {"choices": [{"index": 0, "delta": {}}, {"index": 1, "delta": {"error": OOPS}}]},
        {"choices": [{"index": 0, "delta": {}}], "x_groq": {"id": "r", "error": OOPS}},
        {"choices": [{"index": 0, "delta": {"content": "x"}}], "x_groq": {"error": OOPS}},
        {"choices": [{"index": 0, "delta": {}}], "usage": {"error": OOPS}},
        {"choices": [{"index": 0, "delta": {"content": ""}}], "gateway": {"error": OOPS}},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "gateway": {"error": OOPS}},
    ],
    ids=str,
)
def test_an_error_next_to_choices_counts_at_every_place_and_split(value: Any) -> None:
    for body in (event(value), LONG + event(value) + LONG, HELLO + event(value)):
        for parts in ([body + finish() + DONE], one_by_one(body + finish() + DONE)):
            outcome = decoded(parts)
            assert isinstance(outcome, Failure)
            assert (outcome.code, outcome.message) == ("api_error", "503: over capacity")


@pytest.mark.parametrize("empty", [None, {}, "", 0, False, []])
def test_an_empty_error_is_none(empty: Any) -> None:
    value = {"choices": [{"index": 0, "delta": {"error": empty}, "error": empty}], "x_groq": {"error": empty}}
    assert reply(HELLO + event(value) + finish() + DONE).text == "Hello"


def test_what_a_filter_could_not_check_is_no_error() -> None:
    beside = {"content_filter_results": {"error": {"code": "content_filter_error"}}}
    assert reply(HELLO + event({"choices": [{"index": 0, "delta": {}, **beside}]}) + finish()).text == "Hello"


def test_the_usage_that_groq_sends_in_a_field_of_its_own_counts() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_groq": {"usage": usage}}
    outcome = reply(HELLO + event(last) + DONE)
    assert outcome.usage is not None
    assert outcome.usage.completion_tokens == 2


# Whole messages


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (message("O") + delta("O"), "O"),
        (delta("Oslo") + message("Oslo is") + delta(" is"), "Oslo is"),
        (message("Oslo") + message("Oslo is"), "Oslo is"),
        (delta("a") + message("a") + delta("b") + message("ab"), "ab"),
        (delta("<think>Hm.</think>42") + message("42"), "42"),
    ],
)
def test_output_in_both_deltas_and_messages_counts_once(body: bytes, text: str) -> None:
    for parts in ([body + finish() + DONE], one_by_one(body + finish() + DONE)):
        outcome = decoded(parts)
        assert isinstance(outcome, Reply)
        assert outcome.text == text


@pytest.mark.parametrize(
    "body",
    [
        message("O") + delta("x"),
        message("O") + delta("O") + delta("O"),
        delta("Oslo") + message("Oslo") + delta(" is"),
        message("Oslo is") + message("Oslo"),
        delta("<think>Hm.</think>42") + message("42") + delta("!"),
        message(None, refusal="No") + delta(refusal="Yes"),
    ],
)
def test_deltas_and_messages_that_disagree_are_no_answer(body: bytes) -> None:
    assert failure(body + finish() + DONE).code == "bad_event"


# Failures that other words follow


@pytest.mark.parametrize(
    ("word", "code"), [("error", "broken_off"), ("repetition", "broken_off"), ("safety", "filtered")]
)
def test_a_failure_is_not_forgotten(word: str, code: str) -> None:
    for later in (finish(), HELLO + finish(), HELLO + finish("length"), finish("done")):
        assert failure(HELLO + finish(word) + later + DONE).code == code


def test_a_known_finish_reason_replaces_an_unknown_one() -> None:
    assert reply(HELLO + finish("done") + delta("!") + finish() + DONE).text == "Hello!"


# Ends inside an event


@pytest.mark.parametrize("rest", [b"data", b"data: ", b'data: {"id":"c', b"data: 1", b"event: x\n", b"id: 1"])
def test_an_end_inside_an_event_after_a_provisional_finish_is_a_cut(rest: bytes) -> None:
    provisional = event({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]})
    assert failure(provisional + rest).code == "truncated"
    assert reply(delta("a") + finish() + rest).text == "a"


@pytest.mark.parametrize("rest", [b"", b"\n", b": ping", b'data: {"id": "c"}', b"data: [DONE]"])
def test_an_end_that_loses_nothing(rest: bytes) -> None:
    provisional = event({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]})
    assert reply(provisional + rest).text == "a"


# Tool calls


def call(arguments: Any = None, name: Any = None, **fields: Any) -> bytes:
    return delta(tool_calls=[{**fields, "function": {"name": name, "arguments": arguments}}])


@pytest.mark.parametrize(
    "body",
    [
        call("{", "f", index=0) + call("}", "g", index=0),
        call("{", "f", id="a") + call("}", "g", id="a"),
        call("{", "f") + call("}", "g"),
        call({}, "f", index=0) + call("{", index=0),
        call("{}", "f", id=["c"]),
        call("{}", "f", id={"a": 1}),
        call("{}", "f", id=True),
        call("{}", "f", index=True),
        call("{}", "f", index=[0]),
        call("{}", "f", index="x"),
        call("{", "f", id="a") + delta(function_call={"arguments": "}"}),
        delta(function_call={"name": "f"}) + call("{}", "f", id="a"),
        delta(tool_calls=[{"index": 0, "name": "f", "arguments": "{}"}]),
        delta(content=[{"type": ["text"], "text": "a"}]),
        delta(content=[{"type": {"a": 1}, "text": "a"}]),
    ],
)
def test_contradictory_parts_are_not_an_answer(body: bytes) -> None:
    for parts in ([body + finish() + DONE], one_by_one(body + finish() + DONE)):
        outcome = decoded(parts)
        assert isinstance(outcome, Failure)
        assert outcome.code == "bad_event"


def test_whole_calls_with_one_index_and_no_ids_stay_apart() -> None:
    body = call('{"a": 1}', "f", index=0) + call('{"a": 2}', "f", index=0) + call("{}", "g", index=0)
    calls = [each["function"] for each in reply(body + finish("tool_calls") + DONE).tool_calls or ()]
    assert calls == [
        {"name": "f", "arguments": '{"a": 1}'},
        {"name": "f", "arguments": '{"a": 2}'},
        {"name": "g", "arguments": "{}"},
    ]


@pytest.mark.parametrize(
    "pieces", [[{}], [{"index": 0}], [{"index": 0, "type": "function"}], [{"function": {}}]]
)
def test_an_empty_call_is_ignored(pieces: Any) -> None:
    assert failure(delta(tool_calls=pieces) + finish("tool_calls") + DONE).code == "empty"
    assert failure(whole({"content": None, "tool_calls": pieces})).code == "empty"
    assert reply(HELLO + delta(tool_calls=pieces) + finish() + DONE).tool_calls is None
