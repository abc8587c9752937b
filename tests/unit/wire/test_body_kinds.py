"""Bodies of every kind: whole replies, pages, plain texts, streams without a content type, oversized ones."""

from __future__ import annotations

import json

import pytest

from batch.records import Failure, Reply, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    BOM,
    GOOD,
    HELLO,
    MESSAGE,
    decoded,
    delta,
    failure,
    finish,
    one_by_one,
    reply,
)

# Bodies that are no streams


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", "", "text/plain"])
@pytest.mark.parametrize(
    "before", [b"", b"\n", b"\r\n\r\n  \t", BOM, BOM + b"\n", b"\n" * 1000], ids=lambda b: repr(b[:8])
)
def test_one_object_is_a_whole_reply(before: bytes, content_type: str) -> None:
    for parts in ([before + MESSAGE], one_by_one(before + MESSAGE)):
        assert decoded(parts, content_type) == Reply("Hello", Verdict.COMPLETE, "stop", served_by="m")


def test_a_whole_reply_may_be_written_on_many_lines() -> None:
    body = json.dumps(json.loads(MESSAGE), indent=2).encode().replace(b"\n", b"\n\n")
    assert reply(body, "application/json").text == "Hello"


def test_a_whole_reply_may_hold_a_delta() -> None:
    body = json.dumps({"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}).encode()
    assert reply(body).text == "Hello"


def test_a_whole_reply_without_a_finish_reason_is_unverified() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
    assert reply(body) == Reply("Hello", Verdict.UNVERIFIED)


def test_a_whole_reply_keeps_reasoning_refusal_and_length_apart() -> None:
    message = {"content": "<think>a</think>b", "reasoning_content": "c", "refusal": "d"}
    body = json.dumps({"choices": [{"message": message, "finish_reason": "length"}]}).encode()
    assert reply(body) == Reply("b", Verdict.LENGTH, "length", reasoning="c\na", refusal="d")


def test_an_error_in_place_of_a_reply() -> None:
    outcome = failure(b'{"error": {"message": "overloaded", "code": 503}}', "application/json")
    assert (outcome.code, outcome.message) == ("api_error", "503: overloaded")


def test_no_prefix_of_a_whole_reply_is_taken_for_one() -> None:
    outcomes = [decoded([MESSAGE[:cut]]) for cut in range(1, len(MESSAGE))]
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Failure)} == {"truncated"}
    assert not any(isinstance(outcome, Reply) for outcome in outcomes)


def test_a_whole_reply_that_is_not_utf8() -> None:
    assert failure(MESSAGE.replace(b"Hello", b"H\xe9llo")).code == "encoding"


@pytest.mark.parametrize("content_type", ["text/html", "text/event-stream", "application/json", ""])
@pytest.mark.parametrize("page", [b"<!doctype html><p>Sorry", b"\n \n<html>data: x\n\n", BOM + b"<html>"])
def test_a_page_is_no_stream(page: bytes, content_type: str) -> None:
    for parts in ([page], one_by_one(page)):
        outcome = decoded(parts, content_type)
        assert isinstance(outcome, Failure)
        assert outcome.code == "not_sse"


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", ""])
@pytest.mark.parametrize(
    "body", [b"upstream error", b"Error: try again\n", b"[1, 2]", b'"no"', b"\x1f\x8b\x08"]
)
def test_a_text_that_holds_no_event_is_no_stream(body: bytes, content_type: str) -> None:
    assert failure(body, content_type).code == "not_sse"


@pytest.mark.parametrize(
    "content_type", ["text/event-stream; charset=utf-8", "TEXT/EVENT-STREAM", "text/plain", ""]
)
@pytest.mark.parametrize(
    "before",
    [
        b"",
        BOM,
        b"\n\n",
        BOM + b"\r\n",
        b": hi\n",
        b"unknown: field\n",
        b"X\n\n",
        b"id\n\n",
        b"event: x\n",
        b"\r",
    ],
    ids=repr,
)
def test_a_stream_is_recognized_by_its_events_not_by_its_content_type(
    before: bytes, content_type: str
) -> None:
    for parts in ([before + GOOD], one_by_one(before + GOOD)):
        assert decoded(parts, content_type) == Reply("Hello", Verdict.COMPLETE, "stop")


def test_an_event_stream_with_only_pings_is_truncated() -> None:
    assert failure(b": ping\n\n: ping\n\n").code == "truncated"


# Caps


@pytest.mark.parametrize("before", [b"", HELLO, HELLO + finish()], ids=["first", "later", "after the finish"])
def test_an_event_beyond_its_size_limit(before: bytes) -> None:
    outcome = decoded([before, b"data: " + b"a" * 2**21], max_event=2**20)
    assert isinstance(outcome, Failure)
    assert outcome.code == "too_large"
    assert (outcome.partial_text or "") == ("Hello" if before else "")


@pytest.mark.parametrize(
    "lot", [b"data: " + b"x" * 5000, b"data: " + b"x" * 5000 + b"\n\n", b": x\n\n" * 999]
)
def test_a_size_limit_applies_at_the_same_place_for_any_split(lot: bytes) -> None:
    for before, code in ((HELLO, "too_large"), (HELLO + finish(), "too_large"), (GOOD, None)):
        for parts in ([before + lot], [before, lot], one_by_one(before + lot)):
            outcome = decoded(parts, max_event=4000, max_body=4000)
            assert (outcome.code if isinstance(outcome, Failure) else None) == code
            text = outcome.partial_text if isinstance(outcome, Failure) else outcome.text
            assert text == "Hello", "what was said before is kept"


@pytest.mark.parametrize(
    "piece", [b": ping\n\n", b"\n", b"[1]", b"{", delta("x"), b"data: x\n"], ids=lambda piece: repr(piece[:9])
)
def test_a_body_beyond_its_size_limit(piece: bytes) -> None:
    outcome = decoded([piece * 100] * 1000, max_body=10_000, max_event=10_000)
    assert isinstance(outcome, Failure)
    assert outcome.code == "too_large"


def test_blank_space_before_a_reply_takes_neither_memory_nor_time() -> None:
    decoder = ReplyDecoder()
    for _ in range(2000):
        decoder.feed(b" " * 2**14)
    decoder.feed(MESSAGE)
    assert isinstance(decoder.close(), Reply)
