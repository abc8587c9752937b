"""The reference decoder itself: the verdict on each body, typed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.reference_answer import without_thinking
from tests.support.reference_calls import Call
from tests.support.reference_stream import expected
from tests.support.stream_corpus import SHAPES, body
from tests.support.wire_support import BOM, DONE, delta, event, finish, whole

if TYPE_CHECKING:
    from tests.support.stream_events import Shape

HELLO = delta("Hel") + delta("lo")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_each_shape_of_the_corpus_has_its_expected_verdict(shape: Shape) -> None:
    got = expected(body(shape))
    assert got.verdicts == (frozenset() if shape.verdict == "failed" else {shape.verdict})
    if got.verdicts:
        assert (got.text, got.refusal, sorted(got.calls)) == (shape.text, shape.refusal, sorted(shape.calls))


@pytest.mark.parametrize(
    ("stream", "verdicts", "text"),
    [
        (HELLO + finish() + DONE, {"complete"}, "Hello"),
        (BOM + HELLO + finish(), {"complete"}, "Hello"),
        ((HELLO + finish()).replace(b"\n", b"\r\n"), {"complete"}, "Hello"),
        ((HELLO + finish()).replace(b"\n", b"\r"), {"complete"}, "Hello"),
        ((HELLO + finish()).rstrip(), {"complete"}, "Hello"),
        ((HELLO + finish()).replace(b"data: ", b"data:"), {"complete"}, "Hello"),
        (HELLO + b": ping\n\nid: 7\n\nevent: ping\ndata: {}\n\ndata\n\n" + finish(), {"complete"}, "Hello"),
        (HELLO + finish("MAX_TOKENS"), {"length"}, "Hello"),
        (HELLO + finish() + finish("length"), {"complete", "length"}, "Hello"),
        (HELLO + finish("null") + DONE, {"unverified"}, "Hello"),
        (HELLO + DONE, {"unverified"}, "Hello"),
        (HELLO + finish() + delta("!"), {"complete"}, "Hello!"),
        (HELLO + finish() + DONE + delta("!") + event({"error": "late"}), {"complete"}, "Hello"),
        (
            HELLO + event({"choices": [{"index": 1, "delta": {"content": "no"}}]}) + finish(),
            {"complete"},
            "Hello",
        ),
        (HELLO + event({"choices": [{"message": {"content": "Hello"}}]}) + finish(), {"complete"}, "Hello"),
        (HELLO + event({"choices": [{"message": {"content": "Hello!"}}]}) + finish(), {"complete"}, "Hello!"),
        (
            b'data: {"choices":\ndata: [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n',
            {"complete"},
            "a",
        ),
        (
            delta("\\").replace(b"\\\\", b"\\ud83d") + delta("\\").replace(b"\\\\", b"\\ude00") + finish(),
            {"complete"},
            "😀",
        ),
        (delta("\\").replace(b"\\\\", b"\\ud83d") + finish(), {"complete"}, "\ufffd"),
        (whole({"content": "Hello"}), {"complete"}, "Hello"),
        (delta([{"type": "reasoning", "text": "Hm."}]) + HELLO + finish(), {"complete"}, "Hello"),
    ],
)
def test_an_answer(stream: bytes, verdicts: set[str], text: str) -> None:
    assert expected(stream).verdicts == verdicts
    assert expected(stream).text == text


def test_a_message_that_repeats_the_deltas_says_nothing_new_after_a_shorter_one() -> None:
    shorter = event({"choices": [{"message": {"content": "Hel"}}]})
    last = {"message": {"content": "Hello"}, "finish_reason": "stop"}
    stream = delta("Hel") + shorter + delta("lo") + event({"choices": [last]}).rstrip()
    assert expected(stream, confirmed=False).verdicts == {"complete"}
    longer = stream.replace(b'"Hello"', b'"Hello!"')
    assert expected(longer, confirmed=False).why == "cut after a provisional finish reason"


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (HELLO, "cut"),
        (HELLO + finish()[:-9], "cut"),
        (finish() + DONE, "nothing said"),
        (delta(reasoning_content="Hm.") + finish("length"), "nothing said"),
        (HELLO + finish("network_error"), "broken off"),
        (HELLO + finish("PAUSE_TURN"), "broken off"),
        (HELLO + finish("SAFETY"), "filtered"),
        (HELLO + finish("finished"), "unknown finish reason"),
        (HELLO + finish() + finish("error"), "broken off"),
        (HELLO + b"event: error\ndata: crashed\n\n" + finish() + DONE, "an error event"),
        (HELLO + b"event: error\n\n" + finish() + DONE, "an error event"),
        (HELLO + b'error: {"code": 400}\n\n' + finish() + DONE, "an error event"),
        (HELLO + event({"object": "error", "message": "no"}) + finish(), "an error object"),
        (HELLO + event({"error": "no"}) + finish(), "an error object"),
        (HELLO + event({"response": {"error": {"code": 1}}}) + finish(), "an error object"),
        (HELLO + finish() + event({"error": "no"}) + DONE, "an error object"),
        (HELLO + event({"choices": [{"error": {"code": 1}}]}) + finish(), "an error in a choice"),
        (HELLO + event({"code": 500, "message": "no"}) + finish(), "an error without choices"),
        (b'{"message": "no"}', "an error without choices"),
        (HELLO + b"data: {\n\n" + finish(), "not JSON"),
        (HELLO + b"data: {}{}\n\n" + finish(), "not JSON"),
        (delta("é").replace(b"\xc3\xa9", b"\xe9") + finish(), "not UTF-8"),
        (HELLO + delta(42) + finish(), "content of a wrong type"),
        (HELLO + delta({"text": "a"}) + finish(), "content of a wrong type"),
        (HELLO + event({"choices": [{"delta": "lo"}]}) + finish(), "delta of a wrong type"),
        (
            HELLO + event({"choices": [{"index": False, "delta": {"content": "a"}}]}),
            "an index of another type",
        ),
        (
            HELLO + event({"choices": [{"message": {"content": "Hell"}}]}) + finish(),
            "a whole message that contradicts the deltas",
        ),
        (b"<html>", "a page"),
        (b"", "cut"),
    ],
)
def test_no_answer(stream: bytes, why: str) -> None:
    assert expected(stream).verdicts == frozenset()
    assert expected(stream).why == why


@pytest.mark.parametrize(
    ("stream", "confirmed", "unconfirmed"),
    [
        (HELLO + finish(), True, True),
        (HELLO + finish() + b"data: {", True, True),
        (HELLO + DONE, True, True),
        (event({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}), True, False),
        (event({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}) + DONE, True, True),
        (
            event({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}) + b"data: {",
            False,
            False,
        ),
        (finish() + HELLO, True, False),
        (HELLO, False, False),
    ],
)
def test_what_the_end_of_the_body_changes(stream: bytes, confirmed: bool, unconfirmed: bool) -> None:
    assert bool(expected(stream).verdicts) is confirmed
    assert bool(expected(stream, confirmed=False).verdicts) is unconfirmed


def piece(**fields: Any) -> bytes:
    return delta(tool_calls=[fields])


FIRST = {"id": "a", "function": {"name": "f", "arguments": "{"}}


@pytest.mark.parametrize(
    ("stream", "calls"),
    [
        (piece(index=0, **FIRST) + piece(index=0, function={"arguments": "}"}), (Call("a", "f", "{}"),)),
        (piece(**FIRST) + piece(function={"arguments": "}"}), (Call("a", "f", "{}"),)),
        (
            piece(index=0, **FIRST) + piece(index=0, **FIRST | {"id": "b"}),
            (Call("a", "f", "{"), Call("b", "f", "{")),
        ),
        (piece(**FIRST) + piece(**FIRST), (Call("a", "f", "{{"),)),
        (piece(**FIRST) + piece(function={"name": "f", "arguments": "}"}), (Call("a", "f", "{}"),)),
        (
            piece(index=0, function={"name": "f", "arguments": "{}"}) * 2,
            (Call("", "f", "{}"), Call("", "f", "{}")),
        ),
        (piece(index=0, **FIRST) + piece(index=1, **FIRST), (Call("a", "f", "{"), Call("a", "f", "{"))),
        (piece(**FIRST | {"function": {"name": "f", "arguments": {"x": 1}}}), (Call("a", "f", '{"x": 1}'),)),
        (delta(function_call={"name": "f", "arguments": "{}"}), (Call("", "f", "{}"),)),
        (piece(index=0) + delta("a"), ()),
    ],
)
def test_tool_calls(stream: bytes, calls: tuple[Call, ...]) -> None:
    assert expected(stream + finish()).calls == calls
    assert expected(stream + finish()).verdicts == {"complete"}


@pytest.mark.parametrize(
    "stream",
    [
        piece(index=0, **FIRST) + piece(index=0, function={"name": "g"}),
        piece(index=0, **FIRST) + piece(index=[0], function={"arguments": "}"}),
        piece(**FIRST) + piece(function={"name": "g", "arguments": "}"}),
        piece(**FIRST) + piece(function={"arguments": 7}),
        piece(**FIRST) + piece(function={"arguments": {"x": 1}}),
        delta(tool_calls=["f"]),
        delta(tool_calls={"0": FIRST}),
    ],
)
def test_tool_calls_that_do_not_fit_together(stream: bytes) -> None:
    assert expected(stream + finish("tool_calls") + DONE).verdicts == frozenset()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>Hm.</think>42", "42"),
        ("\n<think>\nHm.\n</think>\n\n42", "42"),
        ("<think>Hm.", ""),
        ("Hm.\n</think>\n\n42", "42"),
        ("</think>\n42", "42"),
        ("Hm.</think>", ""),
        ("The tag </think> ends it.", "The tag </think> ends it."),
        ("```\n</think>\n```\n42", "```\n</think>\n```\n42"),
        ("```\n```\n</think>\n42", "42"),
        ("Use <think>x</think>\nas tags.", "Use <think>x</think>\nas tags."),
        ("a</think>\nb</think>\nc", "b</think>\nc"),
    ],
)
def test_thinking_is_no_part_of_the_text(text: str, answer: str) -> None:
    assert without_thinking(text) == answer
