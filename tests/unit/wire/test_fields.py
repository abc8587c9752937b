"""The fields of a reply besides its text: reasoning, refusals, tool calls, usage, and complete characters."""

from __future__ import annotations

import math
from typing import Any

import pytest

from batch.records import Failure, Reply, Usage, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    DONE,
    GOOD,
    HELLO,
    USAGE,
    delta,
    event,
    failure,
    finish,
    reply,
    whole,
)

# Reasoning, refusals, tool calls, usage


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_from_the_text(field: str) -> None:
    body = delta(**{field: "Let me "}) + delta(**{field: "think."}) + delta("42") + finish()
    assert reply(body) == Reply("42", Verdict.COMPLETE, "stop", reasoning="Let me think.")


def test_reasoning_under_both_names_counts_once() -> None:
    assert reply(delta("42", reasoning="Hm.", reasoning_content="Hm.") + finish()).reasoning == "Hm."


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("<think>Hm.</think>42", "42", "Hm."),
        ("\n<think>\nHm.\n</think>\n\n42", "42", "Hm."),
        ("<think></think>42", "42", None),
        ("<think>\n\n</think>\n\n42", "42", None),
        ("Use <think>x</think> tags.", "Use <think>x</think> tags.", None),
        ("<thinking>x</thinking>", "<thinking>x</thinking>", None),
        ("<think>a</think>b<think>c</think>", "b<think>c</think>", "a"),
    ],
)
def test_thinking_at_the_beginning_of_a_text_is_reasoning(
    text: str, answer: str, reasoning: str | None
) -> None:
    body = b"".join(delta(character) for character in text) + finish()
    assert reply(body) == Reply(answer, Verdict.COMPLETE, "stop", reasoning=reasoning)


def test_reasoning_in_both_forms_is_kept() -> None:
    body = delta("<think>b</think>42", reasoning="a") + finish()
    assert reply(body).reasoning == "a\nb"


def test_content_in_parts_is_text_and_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    body = delta([thinking]) + delta([{"type": "text", "text": "4"}, None]) + delta("2")
    assert reply(body + finish()) == Reply("42", Verdict.COMPLETE, "stop", reasoning="Hm.")


def test_a_refusal_is_an_answer_in_its_own_field() -> None:
    body = delta(refusal="I can't ") + delta(refusal="do that.") + finish()
    assert reply(body) == Reply("", Verdict.COMPLETE, "stop", refusal="I can't do that.")


def call(index: int | None, **fields: Any) -> dict[str, Any]:
    return fields if index is None else {"index": index, **fields}


def made(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_tool_calls_are_joined_by_index() -> None:
    opening = [
        call(1, id="b", type="function", function={"name": "g", "arguments": ""}),
        call(0, id="a", type="function", function={"name": "f", "arguments": '{"x"'}),
    ]
    body = (
        delta(tool_calls=opening)
        + delta(tool_calls=[call(0, function={"arguments": ": 1"})])
        + delta(tool_calls=[call(1, function={"arguments": "{}"}), call(0, function={"arguments": "}"})])
        + finish("tool_calls")
    )
    assert reply(body).tool_calls == [made("a", "f", '{"x": 1}'), made("b", "g", "{}")]
    assert reply(body).finish_reason == "tool_calls"


def test_tool_calls_without_an_index_are_distinguished_by_their_ids() -> None:
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    second = {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"é": 1}}}
    expected = [made("a", "f", "{}"), made("b", "g", '{"é": 1}')]
    assert reply(delta(tool_calls=[first]) + delta(tool_calls=[second]) + finish()).tool_calls == expected
    assert reply(delta(tool_calls=[first, second]) + finish()).tool_calls == expected
    assert reply(whole({"content": None, "tool_calls": [first, second]})).tool_calls == expected


def test_parts_without_index_and_id_continue_the_previous_call() -> None:
    pieces = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x"'}},
        {"function": {"arguments": ": 1}"}},
    ]
    expected = [made("a", "f", "{}"), made("b", "g", '{"x": 1}')]
    body = b"".join(delta(tool_calls=[piece]) for piece in pieces)
    assert reply(body + finish("tool_calls")).tool_calls == expected
    together = delta(tool_calls=pieces[::2]) + delta(tool_calls=pieces[1::2])
    assert reply(together + finish("tool_calls")).tool_calls == expected


@pytest.mark.parametrize(
    "odd",
    [
        [None, [], ""],
        [{"index": 0, "function": None, "id": None}],
        [{"index": True, "type": ""}],
        [{"index": "0", "id": "a"}],
        [{"index": 10**30}, {"index": -(10**30)}],
    ],
    ids=str,
)
def test_unusual_parts_of_tool_calls_do_no_harm(odd: list[Any]) -> None:
    good = call(0, id="a", type="function", function={"name": "f", "arguments": "{}"})
    for body in (delta(tool_calls=[good]) + delta(tool_calls=odd), delta(tool_calls=[*odd, good])):
        calls = reply(body + finish("tool_calls")).tool_calls or []
        assert made("a", "f", "{}") in calls


def test_a_tool_call_nested_too_deeply_to_be_written_down_is_flattened() -> None:
    deep = '{"a": ' * 400 + "1" + "}" * 400
    piece = f'{{"index": 0, "id": "a", "x": {deep}, "function": {{"name": "f", "arguments": {deep}}}}}'
    body = f'data: {{"choices": [{{"delta": {{"tool_calls": [{piece}]}}}}]}}\n\n'.encode()
    assert reply(body + finish()).tool_calls == [{"id": "a", "function": {"name": "f", "arguments": ""}}]


def test_many_small_pieces_of_arguments_take_linear_time() -> None:
    decoder = ReplyDecoder("text/event-stream")
    piece = delta(tool_calls=[call(0, function={"arguments": "a" * 100})])
    decoder.feed(delta(tool_calls=[call(0, function={"name": "read"})]))
    for _ in range(20_000):
        decoder.feed(piece)
    decoder.feed(finish())
    outcome = decoder.close()
    assert isinstance(outcome, Reply)
    assert outcome.tool_calls == [{"function": {"name": "read", "arguments": "a" * 2_000_000}}]


@pytest.mark.parametrize(
    "function", [{"arguments": "{}"}, {"name": "", "arguments": "{}"}, {"name": None, "arguments": "x"}]
)
def test_arguments_for_a_function_without_a_name_are_no_answer(function: dict[str, object]) -> None:
    decoder = ReplyDecoder("text/event-stream")
    decoder.feed(HELLO + delta(tool_calls=[call(0, function=function)]) + finish() + DONE)
    outcome = decoder.close()
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.finished) == ("bad_event", True)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            HELLO + finish() + event({"choices": [], "usage": USAGE}) + DONE, id="after the finish reason"
        ),
        pytest.param(HELLO + event({"choices": [], "usage": USAGE}) + finish() + DONE, id="before it"),
        pytest.param(
            event({"usage": {"prompt_tokens": 1}}) + HELLO + event({"usage": USAGE}) + finish(), id="twice"
        ),
        pytest.param(
            HELLO + event({"choices": [{"finish_reason": "stop"}], "usage": USAGE}), id="in the same event"
        ),
        pytest.param(whole({"content": "Hello"}, usage=USAGE), id="in a whole reply"),
    ],
)
def test_usage_is_found_at_any_place(body: bytes) -> None:
    assert reply(body).usage == Usage(3, 5, 8)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}], None),
        ([{"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}], Usage(3, None, None)),
        ([{"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 9}], Usage(3, None, 9)),
        ([{"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 5}], Usage(None, 5, 5)),
        ([{"total_tokens": 0}], None),
        ([USAGE, {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}], Usage(3, 5, 8)),
        ([USAGE, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}], Usage(3, 5, 8)),
        ([USAGE, {"completion_tokens": 9, "total_tokens": 12}], Usage(3, 9, 12)),
        (
            [{"completion_tokens": 1}, {"completion_tokens": 2}, {"completion_tokens": 3}],
            Usage(None, 3, None),
        ),
        ([USAGE, {"prompt_tokens": -1, "completion_tokens": -7, "total_tokens": -8}], Usage(3, 5, 8)),
        ([USAGE, {}], Usage(3, 5, 8)),
    ],
)
@pytest.mark.parametrize("is_beside", [False, True], ids=["apart", "beside the text"])
def test_false_usage_is_unknown_and_smaller_usage_replaces_none(
    told: list[dict[str, int]], kept: Usage | None, is_beside: bool
) -> None:
    """Zeros with an answer would disable a budget; a last chunk that restarts the count would lose tokens."""
    first = {"choices": [{"delta": {"content": "Hello"}}]} | ({"usage": told[0]} if is_beside else {})
    rest = told[1:] if is_beside else told
    body = event(first) + b"".join(event({"choices": [], "usage": each}) for each in rest) + finish() + DONE
    assert reply(body).usage == kept


def test_a_broken_off_answer_has_usage_too() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    body = HELLO + event({"choices": [{"finish_reason": "error"}], "usage": nothing}) + DONE
    assert failure(body).usage is None


@pytest.mark.parametrize("odd", [-1, 10**30, 2**63, "5", None, [], 1e999, math.nan, True])
def test_an_impossible_count_is_ignored(odd: Any) -> None:
    body = HELLO + event({"usage": {"prompt_tokens": odd, "completion_tokens": 5}}) + finish()
    assert reply(body).usage == Usage(None, 5, None)


def test_a_failure_keeps_the_usage() -> None:
    assert failure(event({"usage": USAGE}) + HELLO).usage == Usage(3, 5, 8)


def test_the_model_that_answered_is_named() -> None:
    assert reply(event({"model": "m-1"}) + event({"model": "m-2"}) + GOOD).served_by == "m-1"
    assert reply(event({"model": 7}) + GOOD).served_by is None


# Surrogates


def test_halves_of_a_pair_in_two_deltas_are_joined() -> None:
    high, low = rb"\ud83d", rb"\ude00"
    body = delta("x").replace(b'"x"', b'"a' + high + b'"') + delta("x").replace(b'"x"', b'"' + low + b'b"')
    assert reply(body + finish()).text == "a😀b"


@pytest.mark.parametrize("lone", [rb"\ud83d", rb"\ude00", rb"\ude00\ud83d"])
def test_a_half_without_its_partner_becomes_the_replacement_character(lone: bytes) -> None:
    body = delta("x").replace(b'"x"', b'"a' + lone + b'b"') + finish()
    assert reply(body).text == "a" + "\ufffd" * (len(lone) // 6) + "b"
