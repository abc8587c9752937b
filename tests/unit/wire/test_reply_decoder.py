"""Which bodies of responses are answers, and which are not."""

from __future__ import annotations

import json

import pytest

from batch.records import Failure, Outcome, Reply, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from batch.wire.text import JOIN_FROM, condense
from tests.support.wire_support import (
    DONE,
    GOOD,
    HELLO,
    MESSAGE,
    decoded,
    delta,
    event,
    every_feeding,
    failure,
    finish,
    one_by_one,
    reply,
    whole,
)

# The end of a stream


def test_a_stream_of_deltas_is_a_reply() -> None:
    assert reply(GOOD) == Reply(text="Hello", verdict=Verdict.COMPLETE, finish_reason="stop")


def test_a_reply_is_the_same_for_any_split() -> None:
    body = delta("é\u2028𝄞 data: [DONE]") + delta("日本") + finish("length") + DONE
    expected = Reply("é\u2028𝄞 data: [DONE]日本", Verdict.LENGTH, "length")
    assert all(decoded(parts) == expected for parts in every_feeding(body))


@pytest.mark.parametrize(
    ("end", "verdict", "reason"),
    [
        pytest.param(finish() + DONE, Verdict.COMPLETE, "stop", id="a finish reason and [DONE]"),
        pytest.param(finish(), Verdict.COMPLETE, "stop", id="a finish reason alone"),
        pytest.param(event({"finish_reason": "stop"}) + DONE, Verdict.COMPLETE, "stop", id="at the top"),
        pytest.param(event({"finish_reason": "length"}), Verdict.LENGTH, "length", id="length, at the top"),
        pytest.param(finish("length") + DONE, Verdict.LENGTH, "length", id="length"),
        pytest.param(finish(None) + DONE, Verdict.UNVERIFIED, None, id="[DONE] alone"),
        pytest.param(finish("") + DONE, Verdict.UNVERIFIED, None, id="an empty reason"),
        pytest.param(finish("function_call"), Verdict.COMPLETE, "function_call", id="a function call"),
        pytest.param(finish("eos"), Verdict.COMPLETE, "eos", id="an unknown reason"),
        pytest.param(b"data:[DONE]\n\n", Verdict.UNVERIFIED, None, id="[DONE] without a space"),
        pytest.param(b"data: [DONE] \n\n", Verdict.UNVERIFIED, None, id="[DONE] with a space behind"),
        pytest.param(b"data: [DONE]", Verdict.UNVERIFIED, None, id="[DONE] without a line end"),
        pytest.param(finish().rstrip(), Verdict.COMPLETE, "stop", id="a finish reason without a line end"),
        pytest.param(finish() + DONE + DONE, Verdict.COMPLETE, "stop", id="[DONE] twice"),
        pytest.param(finish() + DONE + delta("!"), Verdict.COMPLETE, "stop", id="a delta after [DONE]"),
        pytest.param(finish() + DONE + b"data: {\n\n", Verdict.COMPLETE, "stop", id="rubbish after [DONE]"),
        pytest.param(
            finish() + DONE + event({"error": "late"}), Verdict.COMPLETE, "stop", id="an error after [DONE]"
        ),
        pytest.param(finish() + finish("length"), Verdict.COMPLETE, "stop", id="the first reason counts"),
    ],
)
def test_what_ends_a_reply(end: bytes, verdict: Verdict, reason: str | None) -> None:
    for parts in ([HELLO + end], one_by_one(HELLO + end)):
        assert decoded(parts) == Reply(text="Hello", verdict=verdict, finish_reason=reason)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(HELLO, id="between two events"),
        pytest.param(HELLO + finish()[:-8], id="inside the last event"),
        pytest.param(HELLO + delta("!").rstrip(), id="after a delta without a line end"),
        pytest.param(HELLO + b"data: [DON", id="inside [DONE]"),
        pytest.param(HELLO + b": ping\n\n", id="after a comment"),
    ],
)
def test_a_stream_without_an_end_is_truncated_and_keeps_its_output(body: bytes) -> None:
    assert failure(body).code == "truncated"
    assert (failure(body).partial_text or "").startswith("Hello")


def test_no_prefix_of_a_stream_is_taken_for_an_answer() -> None:
    body = HELLO + finish() + DONE
    whole_at = body.index(finish()) + len(finish().rstrip())
    codes = {decoded([body[:cut]]).__class__ for cut in range(whole_at)}
    assert codes == {Failure}
    assert {decoded([body[:cut]]).__class__ for cut in range(whole_at, len(body) + 1)} == {Reply}


def test_done_inside_a_text_does_not_end_the_stream() -> None:
    body = delta("[DONE]") + delta("\ndata: [DONE]\n\n") + delta("!") + finish()
    assert reply(body).text == "[DONE]\ndata: [DONE]\n\n!"


def test_the_text_may_contain_protocol_syntax() -> None:
    text = 'data: {"choices": []}\r\n\r\nevent: error\n: ping\n\n'
    assert reply(delta(text) + finish()).text == text


# Nothing said


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(finish() + DONE, id="stop"),
        pytest.param(DONE, id="[DONE] alone"),
        pytest.param(delta("") + finish(), id="empty deltas"),
        pytest.param(delta(reasoning_content="Hm.") + finish(), id="only reasoning"),
        pytest.param(delta("<think>Hm.</think>") + finish(), id="only reasoning, in tags"),
        pytest.param(b"{}", id="an object that says nothing"),
        pytest.param(whole({"content": ""}), id="a whole reply that says nothing"),
    ],
)
def test_a_finished_answer_without_words_is_empty(body: bytes) -> None:
    outcome = failure(body)
    assert (outcome.code, outcome.finished) == ("empty", True)


@pytest.mark.parametrize("content_type", ["", "text/event-stream", "application/json", "text/html"])
def test_a_missing_body_is_empty_too_but_not_finished(content_type: str) -> None:
    outcome = failure(b"", content_type)
    assert (outcome.code, outcome.finished) == ("empty", False)


@pytest.mark.parametrize(
    "said", [b"", delta("<think>Let me"), delta(reasoning_content="Let me"), delta(""), delta(None)]
)
def test_an_answer_cut_at_its_limit_before_it_began_is_a_failure_of_its_own(said: bytes) -> None:
    for word in ("length", "MAX_TOKENS", "model_length"):
        outcome = failure(said + finish(word) + DONE)
        assert (outcome.code, outcome.finished, outcome.finish_reason) == ("empty_length", True, word)


def test_white_space_is_an_answer() -> None:
    assert reply(delta("\n") + finish()).text == "\n"


def test_a_filtered_answer_is_a_failure_that_keeps_its_text() -> None:
    outcome = failure(HELLO + finish("content_filter") + DONE)
    assert (outcome.code, outcome.partial_text, outcome.finished) == ("filtered", "Hello", True)


# Cut in disorder


def cut(*parts: bytes, content_type: str = "text/event-stream") -> Outcome:
    decoder = ReplyDecoder(content_type)
    for part in parts:
        decoder.feed(part)
    return decoder.cut("idle_timeout", "silence")


def test_a_connection_that_breaks_after_the_finish_reason_leaves_a_reply() -> None:
    assert cut(HELLO, finish()) == Reply("Hello", Verdict.COMPLETE, "stop")
    assert cut(HELLO, finish().rstrip()) == Reply("Hello", Verdict.COMPLETE, "stop")
    assert cut(HELLO, DONE) == Reply("Hello", Verdict.UNVERIFIED)
    assert cut(HELLO, DONE.rstrip()) == Reply("Hello", Verdict.UNVERIFIED)
    assert cut(MESSAGE) == Reply("Hello", Verdict.COMPLETE, "stop", served_by="m")


@pytest.mark.parametrize("body", [b"", HELLO, HELLO + finish()[:-9], HELLO + b"data: [DO", MESSAGE[:-1]])
def test_a_connection_that_breaks_before_the_finish_reason_is_a_failure(body: bytes) -> None:
    outcome = cut(body)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.message) == ("idle_timeout", "silence")


def test_a_break_after_an_error_event_is_that_error() -> None:
    outcome = cut(HELLO + event({"error": "overloaded"}).rstrip())
    assert isinstance(outcome, Failure)
    assert outcome.code == "api_error"


# What it takes while it comes


def test_a_reply_is_the_same_however_often_it_is_condensed() -> None:
    said = [f"{number} \ud83d" if number % 7 else "\ude00é" for number in range(1000)]
    events = [
        b"data: "
        + json.dumps({"choices": [{"delta": {"content": text, "reasoning": text}}]}).encode()
        + b"\n\n"
        for text in said
    ]
    plain, condensed = ReplyDecoder("text/event-stream"), ReplyDecoder("text/event-stream")
    for part in [*events, finish(), DONE]:
        plain.feed(part)
        condensed.feed(part)
        condensed.message.condense()
        assert len(condensed.message.text) < 200
    assert len(plain.message.text) == 1000
    assert condensed.close() == plain.close()


def test_a_long_text_is_not_copied_each_time_it_is_condensed() -> None:
    parts: list[str] = []
    copied = 0
    for _ in range(100_000):
        parts.append("ab")
        before = len(parts)
        condense(parts)
        copied += sum(map(len, parts)) if len(parts) < before else 0
    assert "".join(parts) == "ab" * 100_000
    assert copied < 100_000 * 2 * JOIN_FROM
