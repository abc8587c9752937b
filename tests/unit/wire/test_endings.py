"""The end of an answer: a finish reason counts only if nothing contradicts it."""

from __future__ import annotations

from typing import Any

import pytest

from batch.errors import AttemptError
from batch.finish_reasons import FinishReasons
from batch.records import Failure, Outcome, Reply, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    DONE,
    HELLO,
    USAGE,
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

TOLD = event({"choices": [], "usage": USAGE})


def beside(content: str, reason: Any = "stop", **fields: Any) -> bytes:
    """A delta with a finish reason in the same event."""
    return event(
        {"choices": [{"index": 0, "delta": {"content": content, **fields}, "finish_reason": reason}]}
    )


EACH = beside("Hel") + beside("lo")
LAST = delta("Hel") + beside("lo")


def outcome_of(
    body: bytes, end: str, *, framed: bool = True, is_early: bool = False, step: int | None = None
) -> Outcome:
    """Return the outcome of a body that is then ``closed`` regularly or ``cut``."""
    decoder = ReplyDecoder("text/event-stream", is_early=is_early)
    decoder.framed = framed
    try:
        for part in [body] if step is None else one_by_one(body):
            decoder.feed(part)
    except AttemptError as error:
        return error.failure
    return decoder.close() if end == "closed" else decoder.cut("idle_timeout", "silence")


def summary(outcome: Outcome) -> tuple[str, str]:
    """The verdict or the code, and the text."""
    if isinstance(outcome, Reply):
        return outcome.verdict.value, outcome.text
    return outcome.code, outcome.partial_text or ""


# What each class of words leads to


@pytest.mark.parametrize("word", ["stop", "END_TURN", "eos", "STOP", "Tool_Use"])
@pytest.mark.parametrize("end", [DONE, TOLD + DONE, b""])
def test_a_complete_answer(word: str, end: bytes) -> None:
    outcome = reply(HELLO + finish(word) + end)
    assert (outcome.text, outcome.verdict, outcome.finish_reason) == ("Hello", Verdict.COMPLETE, word)


@pytest.mark.parametrize("word", ["length", "MAX_TOKENS", "model_length", "max_output_tokens"])
def test_an_answer_cut_at_its_limit(word: str) -> None:
    for body in (HELLO + finish(word) + DONE, whole({"content": "Hello"}).replace(b"stop", word.encode())):
        outcome = reply(body)
        assert (outcome.text, outcome.verdict, outcome.finish_reason) == ("Hello", Verdict.LENGTH, word)


@pytest.mark.parametrize(
    ("word", "code", "retryable"),
    [
        ("error", "broken_off", None),
        ("abort", "broken_off", None),
        ("NETWORK_ERROR", "broken_off", None),
        ("insufficient_system_resource", "broken_off", None),
        ("pause_turn", "broken_off", None),
        ("content_filter", "filtered", None),
        ("SAFETY", "filtered", None),
        ("refusal", "filtered", None),
        ("done", "unknown_finish", None),
        ("7", "unknown_finish", None),
    ],
)
def test_any_other_end_is_a_failure_that_keeps_the_text(word: str, code: str, retryable: bool | None) -> None:
    in_stream = HELLO + finish(word) + TOLD + DONE
    bodies = [
        in_stream,
        HELLO + finish(word),
        delta("Hel") + beside("lo", word) + DONE,
        HELLO + event({"choices": [], "finish_reason": word}) + DONE,
        HELLO + event({"finish_reason": word}),
        whole({"content": "Hello"}).replace(b"stop", word.encode()),
    ]
    for body in bodies:
        outcome = failure(body)
        assert (outcome.code, outcome.partial_text, outcome.finished) == (code, "Hello", True)
        assert (outcome.server_code, outcome.finish_reason) == (word, word)
        assert repr(word) in outcome.message
        assert outcome.should_retry is retryable
    assert all(summary(decoded(parts)) == (code, "Hello") for parts in every_feeding(in_stream))


@pytest.mark.parametrize(
    ("reason", "word"),
    [(7, "7"), (True, "true"), (["stop"], '["stop"]'), ({"a": 1}, '{"a": 1}'), ({"type": "odd"}, "odd")],
)
def test_a_finish_reason_of_another_type_is_never_complete(reason: Any, word: str) -> None:
    for body in (HELLO + finish(reason) + DONE, HELLO + event({"finish_reason": reason}) + DONE):
        assert (failure(body).code, failure(body).server_code) == ("unknown_finish", word)


@pytest.mark.parametrize("reason", [None, "", "null", "NULL", False, 0, [], {}])
def test_no_finish_reason(reason: Any) -> None:
    assert summary(decoded([HELLO + finish(reason) + DONE])) == ("unverified", "Hello")
    assert summary(decoded([HELLO + finish(reason)])) == ("truncated", "Hello")


def test_sglangs_own_form_of_a_finish_reason() -> None:
    assert reply(HELLO + finish({"type": "stop", "matched": 7}) + DONE).finish_reason == "stop"  # type: ignore[arg-type]


def test_the_words_of_the_job() -> None:
    own = FinishReasons(complete=frozenset({"done"}), length=frozenset({"full"}))
    for word, verdict in (("DONE", Verdict.COMPLETE), ("full", Verdict.LENGTH)):
        decoder = ReplyDecoder("text/event-stream", finish_reasons=own)
        decoder.feed(HELLO + finish(word) + DONE)
        assert decoder.close() == Reply("Hello", verdict, word)


def test_an_unknown_finish_reason_keeps_the_answer_and_gives_a_hint() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    body = delta("<think>Hm.</think>Hello", tool_calls=[call]) + finish("done") + TOLD + DONE
    outcome = failure(body)
    assert outcome.answer is not None
    assert (outcome.answer.text, outcome.answer.reasoning) == ("Hello", "Hm.")
    assert outcome.answer.tool_calls == [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
    assert "`finish_reasons`" in outcome.message


# A finish reason beside words is provisional


@pytest.mark.parametrize("body", [EACH, LAST], ids=["each", "last"])
@pytest.mark.parametrize("step", [None, 1])
def test_a_finish_reason_with_output_is_final_only_at_a_regular_end(body: bytes, step: int | None) -> None:
    assert summary(outcome_of(body + DONE, "closed", step=step)) == ("complete", "Hello")
    assert summary(outcome_of(body + DONE, "cut", step=step)) == ("complete", "Hello")
    assert summary(outcome_of(body, "closed", step=step)) == ("complete", "Hello")
    assert summary(outcome_of(body, "cut", step=step)) == ("idle_timeout", "Hello")
    assert summary(outcome_of(body, "closed", framed=False, step=step)) == ("truncated", "Hello")
    assert summary(outcome_of(body + finish(), "closed", framed=False)) == (
        ("truncated", "Hello") if body is EACH else ("complete", "Hello")
    )


@pytest.mark.parametrize(
    ("body", "done", "closed", "cut"),
    [
        pytest.param(HELLO + finish(), "complete", "complete", "complete", id="no words beside it"),
        pytest.param(LAST + finish(), "complete", "complete", "complete", id="and once more without"),
        pytest.param(EACH + finish(), "complete", "complete", "idle_timeout", id="with each, and without"),
        pytest.param(beside("Hel") + delta("lo"), "complete", "truncated", "idle_timeout", id="words after"),
        pytest.param(
            delta("Hel") + finish() + delta("lo"), "complete", "truncated", "idle_timeout", id="a stray piece"
        ),
        pytest.param(
            delta("Hel") + finish() + delta("lo") + finish(),
            "complete",
            "complete",
            "idle_timeout",
            id="again",
        ),
        pytest.param(
            delta(reasoning="Hm.") + finish() + HELLO + finish(),
            "complete",
            "complete",
            "idle_timeout",
            id="after the reasoning",
        ),
        pytest.param(
            beside("", reasoning_content="Hm.") + HELLO + finish(),
            "complete",
            "complete",
            "idle_timeout",
            id="beside the reasoning",
        ),
        pytest.param(
            beside("Hel", "working") + beside("lo", "working") + finish(),
            "complete",
            "complete",
            "idle_timeout",
            id="an unknown word with each piece",
        ),
        pytest.param(
            beside("Hello", "error") + finish(), "broken_off", "broken_off", "broken_off", id="error, stop"
        ),
        pytest.param(
            HELLO + finish() + finish("error"), "broken_off", "broken_off", "broken_off", id="stop, error"
        ),
        pytest.param(beside("Hello") + finish("length"), "length", "length", "length", id="stop, length"),
        pytest.param(HELLO + finish() + finish("length"), "complete", "complete", "complete", id="the first"),
        pytest.param(HELLO + finish() * 3 + TOLD, "complete", "complete", "complete", id="several times"),
    ],
)
def test_how_an_answer_ends(body: bytes, done: str, closed: str, cut: str) -> None:
    for step in (None, 1):
        assert summary(outcome_of(body + DONE, "closed", step=step)) == (done, "Hello")
        assert summary(outcome_of(body, "closed", step=step)) == (closed, "Hello")
        assert summary(outcome_of(body, "cut", step=step)) == (cut, "Hello")


@pytest.mark.parametrize(
    "body", [EACH, LAST, EACH + finish(), LAST + finish() + DONE, HELLO + finish() + DONE]
)
def test_no_prefix_is_taken_for_a_complete_answer(body: bytes) -> None:
    """Cut at every byte: only a finish reason without words, or ``[DONE]``, makes an answer of it."""
    for at in range(len(body)):
        outcome = outcome_of(body[:at], "cut")
        if isinstance(outcome, Reply):
            assert outcome.text == "Hello"
            assert at >= len(body) - len(finish() + DONE)


def test_after_output_behind_a_finish_reason_the_endpoints_next_reason_is_provisional() -> None:
    decoder = ReplyDecoder("text/event-stream")
    decoder.feed(delta("Hel") + finish())
    assert (decoder.finished, decoder.message.finish.is_early) == (True, False)
    decoder.feed(delta("lo"))
    assert (decoder.finished, decoder.message.finish.is_early) == (False, True)
    assert summary(outcome_of(HELLO + finish(), "cut", is_early=True)) == ("idle_timeout", "Hello")
    assert summary(outcome_of(HELLO + finish(), "closed", is_early=True)) == ("complete", "Hello")
    assert summary(outcome_of(HELLO + finish() + DONE, "cut", is_early=True)) == ("complete", "Hello")


def test_a_tool_call_with_its_finish_reason() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    body = event({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})
    assert isinstance(outcome_of(body, "closed"), Reply)
    assert isinstance(outcome_of(body + DONE, "cut"), Reply)
    assert isinstance(outcome_of(body, "cut"), Failure)
