"""Bodies recorded from real servers, with their outcomes: typed by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from batch.records import Failure, Reply
from batch.wire.error_classification import from_status
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import decoded, one_by_one

CASES = Path(__file__).parents[2] / "cases" / "wire"
HALF = "The first half of the sum"


class Answer(NamedTuple):
    """A reply: its verdict, text, reasoning and calls (id, name, arguments)."""

    verdict: str
    text: str
    reasoning: str | None = None
    calls: tuple[tuple[str, str, str], ...] = ()


class Trouble(NamedTuple):
    """A failure: its code, the text before it, and what its message ends with."""

    code: str
    partial_text: str | None
    message: str = ""


STREAMS = {
    "err_event_name": Trouble(
        "api_error", "Half of the an", "The model has crashed without additional information."
    ),
    "err_field_llamacpp": Trouble(
        "api_error",
        None,
        "the request exceeds the available context size. "
        "try increasing the context size or enable context shift",
    ),
    "err_object_after_text": Trouble("api_error", "Half of the an", "EngineCore encountered an issue"),
    "fin_MAX_TOKENS": Answer("length", HALF),
    "fin_abort": Trouble("broken_off", HALF),
    "fin_choice_error_stream": Trouble("api_error", HALF, "Upstream provider disconnected"),
    "fin_each": Answer("complete", "One two three."),
    "fin_end_turn": Answer("complete", HALF),
    "fin_error": Trouble("broken_off", HALF),
    "fin_network_error": Trouble("broken_off", HALF),
    "fin_safety": Trouble("filtered", HALF),
    "message_after_deltas": Answer("complete", "Hello world."),
    "number_content": Trouble("bad_event", "The answer is "),
    "think_no_open": Answer(
        "complete", "A short summary.", "Okay, the user wants a summary. Let me write it."
    ),
    "think_only_length": Trouble("empty_length", None),
    "tools_index_zero": Answer(
        "complete",
        "",
        None,
        (("call_1", "weather", '{"city":"Oslo"}'), ("call_2", "weather", '{"city":"Bergen"}')),
    ),
}
RESPONSES = {
    "generation_failed_400": (400, "invalid_output", None),
    "one_document_403": (403, "forbidden", None),
    "retry_delay_in_body": (429, "http_429", 6.0),
}


def test_each_file_has_a_row() -> None:
    assert {path.stem for path in CASES.iterdir()} == {*STREAMS, *RESPONSES}


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_has_its_outcome_for_any_split(name: str) -> None:
    body = (CASES / f"{name}.sse").read_bytes()
    right = STREAMS[name]
    for parts in ([body], one_by_one(body), [body.replace(b"\n", b"\r\n")]):
        outcome = decoded(parts)
        if isinstance(right, Trouble):
            assert isinstance(outcome, Failure)
            assert (outcome.code, outcome.partial_text) == (right.code, right.partial_text)
            assert outcome.message.endswith(right.message)
            continue
        assert isinstance(outcome, Reply)
        calls = tuple(
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in outcome.tool_calls or ()
        )
        assert Answer(outcome.verdict.value, outcome.text, outcome.reasoning, calls) == right


@pytest.mark.parametrize("name", [name for name, right in STREAMS.items() if isinstance(right, Answer)])
def test_an_answer_that_is_cut_before_its_finish_reason_is_a_failure(name: str) -> None:
    body = (CASES / f"{name}.sse").read_bytes()
    for end in range(body.rindex(b'"finish_reason"')):
        decoder = ReplyDecoder("text/event-stream")
        decoder.feed(body[:end])
        assert isinstance(decoder.cut("truncated", "the connection broke"), Failure)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_that_is_no_200(name: str) -> None:
    head, _, body = (CASES / f"{name}.http").read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    status, code, wait = RESPONSES[name]
    assert head.startswith(b"HTTP/1.1 %d " % status)
    outcome = from_status(
        status, {"content-type": "application/json"}, body, datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert (outcome.code, outcome.http_status, outcome.retry_after) == (code, status, wait)
