"""No model output is lost, duplicated or mixed up, in any form in which it arrives."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from batch.records import Reply, Verdict
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    DONE,
    HELLO,
    decoded,
    delta,
    event,
    failure,
    finish,
    one_by_one,
    reply,
    whole,
)

# Values of a wrong type


@pytest.mark.parametrize("field", ["content", "reasoning", "reasoning_content", "refusal"])
@pytest.mark.parametrize(
    "odd", [7, 0, 1.5, True, False, {"text": "x"}, {}, [7], [{"text": 7}], [[]]], ids=repr
)
def test_output_of_a_wrong_type_fails_the_attempt(field: str, odd: Any) -> None:
    for before in (b"", HELLO, HELLO * 20):
        body = before + delta(**{"content": None, field: odd}) + delta("!") + finish() + DONE
        assert failure(body).code == "bad_event"
        assert "cannot be read" in failure(body).message
    assert failure(whole({"content": "x", field: odd})).code == "bad_event"


@pytest.mark.parametrize(
    "odd",
    [
        event("text"),
        event(["text"]),
        event([{"choices": [{"delta": {"content": "x"}}]}]),
        event({"choices": "x"}),
        event({"choices": {"delta": {"content": "x"}}}),
        event({"choices": ["x"]}),
        event({"choices": [7]}),
        event({"choices": [{"delta": "x"}]}),
        event({"choices": [{"delta": ["x"]}]}),
        event({"choices": [{"message": "x"}]}),
        event({"choices": [{"text": 7}]}),
        delta(tool_calls="x"),
        delta(tool_calls={"index": 0}),
        delta(tool_calls=["x"]),
        delta(tool_calls=[7]),
        delta(tool_calls=[{"index": 0, "function": "f"}]),
        delta(tool_calls=[{"index": 0, "function": {"name": ["f"]}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": 7}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": True}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ["x"]}}]),
        delta(function_call="f"),
    ],
    ids=repr,
)
def test_an_event_with_unreadable_output_fails_the_attempt(odd: bytes) -> None:
    for body in (HELLO + odd + finish() + DONE, odd + HELLO + finish() + DONE, HELLO + finish() + odd + DONE):
        for parts in ([body], one_by_one(body)):
            assert getattr(decoded(parts), "code", None) == "bad_event"
    assert failure(HELLO + finish() + odd.rstrip()).code == "bad_event", "also as the last of the body"


# Content in parts


@pytest.mark.parametrize(
    ("parts", "text", "reasoning"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", None),
        ([{"type": "output_text", "text": "a"}], "a", None),
        ([{"type": "new", "text": "a"}], "a", None),
        ([{"text": "a"}, None, "b"], "ab", None),
        ([{"type": "reasoning", "text": "r"}, {"type": "text", "text": "a"}], "a", "r"),
        ([{"type": "thinking", "thinking": "r"}, "a"], "a", "r"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, "a"], "a", "r"),
        (["a", {"type": "reference", "reference_ids": [1]}], "a", None),
        (["a", {"type": "image_url", "image_url": {"url": "x"}}], "a", None),
    ],
    ids=repr,
)
def test_content_in_parts(parts: list[Any], text: str, reasoning: str | None) -> None:
    for body in (delta(parts) + finish() + DONE, whole({"content": parts})):
        assert (reply(body).text, reply(body).reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    "parts",
    [
        [7],
        [True],
        [{"text": 7}],
        [{"text": ["a"]}],
        [{"type": "text", "content": "a"}],
        [{"type": "x", "value": "a"}],
        [{"type": "refusal", "refusal": 7}],
        [{"type": "refusal", "refusal": ["No"]}],
        [{"type": "refusal", "refusal": [{"text": "No"}]}],
        ["a", {"type": "refusal", "refusal": [{"words": "No"}]}],
        ["a", {"type": "refusal", "refusal": []}],
    ],
    ids=repr,
)
def test_parts_whose_output_would_be_lost(parts: list[Any]) -> None:
    assert failure(delta(parts) + finish() + DONE).code == "bad_event"


# A whole message after its deltas


def after(message: Any, reason: str | None = "stop") -> bytes:
    return event({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (HELLO + after({"role": "assistant", "content": "Hello"}), "Hello"),
        (HELLO + after({"content": "Hello world."}), "Hello world."),
        (HELLO + after({"content": None}), "Hello"),
        (HELLO + after({"content": ""}), "Hello"),
        (after({"content": "Hello"}), "Hello"),
        (after({"content": "Hel"}, None) + after({"content": "Hello"}), "Hello"),
        (
            event({"choices": [{"delta": {}, "message": {"content": "Hello"}, "finish_reason": "stop"}]}),
            "Hello",
        ),
        (
            event({"choices": [{"delta": {"content": None}, "message": {"content": "Hello"}}]}) + finish(),
            "Hello",
        ),
        (
            HELLO
            + event({"choices": [{"delta": {"content": "!"}, "message": {"content": "Hello!"}}]})
            + finish(),
            "Hello!",
        ),
        (delta("<think>Hm.</think>Hello") + after({"content": "Hello"}), "Hello"),
        (HELLO + finish() + after({"content": "Hello"}), "Hello"),
    ],
)
def test_a_whole_message_does_not_duplicate_output(body: bytes, text: str) -> None:
    for parts in ([body + DONE], one_by_one(body + DONE)):
        outcome = decoded(parts)
        assert isinstance(outcome, Reply)
        assert (outcome.text, outcome.verdict) == (text, Verdict.COMPLETE)


@pytest.mark.parametrize("content", ["Hell", "hello", "world", "Hullo world", " Hello"])
def test_a_whole_message_that_contradicts_its_deltas(content: str) -> None:
    outcome = failure(HELLO + after({"content": content}) + DONE)
    assert (outcome.code, outcome.partial_text) == ("bad_event", "Hello")


def test_reasoning_refusals_and_calls_are_not_duplicated_either() -> None:
    calls = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]
    body = delta("42", reasoning="Hm.", refusal="No.", tool_calls=calls)
    again = after({"content": "42", "reasoning": "Hm.", "refusal": "No.", "tool_calls": calls})
    outcome = reply(body + again + DONE)
    assert (outcome.text, outcome.reasoning, outcome.refusal) == ("42", "Hm.", "No.")
    assert outcome.tool_calls == [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]
    other = [{"id": "a", "function": {"name": "f", "arguments": "{1}"}}]
    assert failure(body + after({"content": "42", "tool_calls": other}) + DONE).code == "bad_event"


# Several choices


@pytest.mark.parametrize("index", [0, 0.0, "0", None])
def test_the_requested_choice(index: Any) -> None:
    body = event({"choices": [{"index": index, "delta": {"content": "Hello"}}]}) + finish()
    assert reply(body + DONE).text == "Hello"


@pytest.mark.parametrize("index", [1, 1.0, "1", "01", -1, 10**30, 0.5])
def test_another_choice_is_not_mixed_in(index: Any) -> None:
    other = event({"choices": [{"index": index, "delta": {"content": "no"}, "finish_reason": "error"}]})
    assert reply(delta("Hel") + other + delta("lo") + finish() + DONE).text == "Hello"
    both = {
        "choices": [{"index": 0, "delta": {"content": "Hello"}}, {"index": index, "delta": {"content": "no"}}]
    }
    assert reply(event(both) + finish() + DONE).text == "Hello"


@pytest.mark.parametrize("index", [True, False, "", "x", "-0", "²", [], {}, [0]])
@pytest.mark.parametrize(
    "said",
    [{"delta": {"content": "a"}}, {"message": {"content": "a"}}, {"text": "a"}, {"finish_reason": "stop"}],
)
def test_a_choice_with_an_invalid_index_may_be_the_requested_one(index: Any, said: Any) -> None:
    for choices in ([{"index": index, **said}], [{"index": 0}, {"index": index, **said}]):
        for body in (
            delta("Hel") + event({"choices": choices}) + finish() + DONE,
            json.dumps({"choices": choices}).encode(),
        ):
            assert failure(body).code == "bad_event"


@pytest.mark.parametrize("index", [True, False, "", "x", [], {}])
def test_a_choice_without_output_is_ignored_whatever_its_index(index: Any) -> None:
    empty = event({"choices": [{"index": index, "delta": {}, "finish_reason": None}]})
    assert reply(delta("Hel") + empty + delta("lo") + finish() + DONE).text == "Hello"


@pytest.mark.parametrize("index", ["00", -0.0, 0.0])
def test_other_forms_of_the_index_zero(index: Any) -> None:
    assert reply(event({"choices": [{"index": index, "delta": {"content": "a"}}]}) + finish()).text == "a"


def test_choices_without_an_index_have_the_index_of_their_position() -> None:
    choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in ("first", "second")]
    assert reply(json.dumps({"choices": choices}).encode()).text == "first"


def test_two_choices_with_the_same_index_are_not_mixed() -> None:
    choices = [{"index": 0, "message": {"content": text}, "finish_reason": "stop"} for text in ("a", "b")]
    assert failure(json.dumps({"choices": choices}).encode()).code == "bad_event"


def test_the_text_of_a_legacy_completion() -> None:
    pieces = [
        event({"choices": [{"index": 0, "text": text, "finish_reason": None}]}) for text in ("Hel", "lo")
    ]
    end = event({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
    assert reply(b"".join(pieces) + end + DONE) == Reply("Hello", Verdict.COMPLETE, "stop")
    both = event({"choices": [{"index": 0, "text": "Hello", "delta": {"content": "Hello"}}]})
    assert reply(both + finish() + DONE).text == "Hello"


# Tool calls


def piece(arguments: str | None = None, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**fields, "function": function}


def calls_of(*pieces: Any) -> list[tuple[Any, Any, Any]]:
    body = b"".join(delta(tool_calls=each if isinstance(each, list) else [each]) for each in pieces)
    calls = reply(body + finish("tool_calls") + DONE).tool_calls or []
    return [(call.get("id"), call["function"]["name"], call["function"]["arguments"]) for call in calls]


TWO = [("a", "f", '{"x": 1}'), ("b", "g", "{}")]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [piece('{"x": 1}', "f", index=0, id="a"), piece("{}", "g", index=0, id="b")], id="equal index"
        ),
        pytest.param(
            [[piece('{"x": 1}', "f", index=0, id="a"), piece("{}", "g", index=0, id="b")]], id="in one event"
        ),
        pytest.param([piece('{"x": 1}', "f", id="a"), piece("{}", "g", id="b")], id="no index"),
        pytest.param(
            [piece('{"x"', "f", index=0, id="a"), piece(": 1}", index=0), piece("{}", "g", index=0, id="b")],
            id="continued, equal index",
        ),
        pytest.param(
            [piece('{"x"', "f", index=0, id="a"), piece(": 1}"), piece("{}", "g", index=1, id="b")],
            id="continued without an index",
        ),
        pytest.param(
            [piece('{"x"', "f", id="a"), piece(": 1}", id="a"), piece("{}", "g", id="b")], id="id each time"
        ),
        pytest.param(
            [
                piece('{"x"', "f", index=0, id="a"),
                piece("{}", "g", index=0, id="b"),
                piece(": 1}", id="a", index=0),
            ],
            id="back to the first",
        ),
        pytest.param(
            [piece('{"x": 1}', "f", index="0", id="a"), piece("{}", "g", index="1", id="b")],
            id="index as text",
        ),
        pytest.param(
            [piece('{"x": 1}', "f", index=0.0, id="a"), piece("{}", "g", index=1.0, id="b")],
            id="index as float",
        ),
        pytest.param(
            [piece("", "f", index=0), piece('{"x": 1}', index=0, id="a"), piece("{}", "g", index=1, id="b")],
            id="the id comes late",
        ),
        pytest.param(
            [piece('{"x": 1}', "f", index=0, id="a"), piece("{}", "g", index=1, id="b")], id="as it should be"
        ),
    ],
)
def test_two_calls_stay_two(pieces: list[Any]) -> None:
    assert calls_of(*pieces) == TWO


def test_two_calls_without_ids_and_indices_stay_two() -> None:
    assert calls_of(piece("{}", "f"), piece("{1}", "g")) == [(None, "f", "{}"), (None, "g", "{1}")]
    assert calls_of([piece("{}", "f"), piece("{1}", "f")]) == [(None, "f", "{}"), (None, "f", "{1}")]
    assert calls_of(piece("{", "f"), piece("}", "f")) == [(None, "f", "{}")]


def test_a_function_call_of_the_older_form() -> None:
    body = delta(function_call={"name": "f", "arguments": "{"}) + delta(function_call={"arguments": "}"})
    outcome = reply(body + finish("function_call") + DONE)
    assert outcome.tool_calls == [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_many_calls_take_linear_time() -> None:
    def seconds(number: int) -> float:
        body = b"".join(
            delta(tool_calls=[piece("{}", "f", index=0, id=f"call_{place}")]) for place in range(number)
        )
        started = time.process_time()
        calls = reply(body + finish() + DONE).tool_calls
        assert calls is not None
        assert len(calls) == number
        return time.process_time() - started

    assert seconds(20_000) < 40 * seconds(2_000)


# Reasoning without its opening tag


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("Okay.\n</think>\n\nA summary.", "A summary.", "Okay."),
        ("Okay.</think>\nA summary.", "A summary.", "Okay."),
        ("Okay.</think>  \r\nA summary.", "A summary.", "Okay."),
        ("</think>\n\nA summary.", "A summary.", None),
        ("a</think>\nb</think>\nc", "b</think>\nc", "a"),
        ("```\nx\n```\n</think>\nb", "b", "```\nx\n```"),
        ("The tag </think> closes it.", "The tag </think> closes it.", None),
        ("Write </think> here.\n</think>\nx", "Write </think> here.\n</think>\nx", None),
        ("```html\n</think>\n```\nx", "```html\n</think>\n```\nx", None),
        ("~~~\n</think>\n~~~", "~~~\n</think>\n~~~", None),
        ("````\n```\n</think>\n````", "````\n```\n</think>\n````", None),
        ("Say <think>x</think>\ny", "Say <think>x</think>\ny", None),
        ("`</think>`\nx", "`</think>`\nx", None),
        ("a</THINK>\nb", "a</THINK>\nb", None),
    ],
)
def test_a_closing_tag_alone(text: str, answer: str, reasoning: str | None) -> None:
    expected = Reply(answer, Verdict.COMPLETE, "stop", reasoning=reasoning)
    assert reply(delta(text) + finish()) == expected
    assert reply(b"".join(map(delta, text)) + finish()) == expected


def test_reasoning_alone_is_not_an_answer() -> None:
    assert failure(delta("Okay.\n</think>\n") + finish() + DONE).code == "empty"
    assert failure(delta("Okay.\n</think>\n") + finish("length") + DONE).code == "empty_length"


# Log probabilities


def token(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []}


def test_log_probabilities_are_joined() -> None:
    def said(text: str, **more: Any) -> bytes:
        logprobs = {"content": [token(text)], "refusal": None, **more}
        choice = {"index": 0, "delta": {"content": text}, "logprobs": logprobs, "finish_reason": None}
        return event({"choices": [choice]})

    body = b"".join(map(said, "Hello")) + finish() + DONE
    expected = {"content": [token(each) for each in "Hello"], "refusal": None}
    for parts in ([body], one_by_one(body)):
        outcome = decoded(parts)
        assert isinstance(outcome, Reply)
        assert (outcome.text, outcome.logprobs) == ("Hello", expected)
    assert reply(HELLO * 20 + said("!") + finish()).logprobs == {"content": [token("!")], "refusal": None}
    assert reply(HELLO + finish()).logprobs is None


def test_log_probabilities_of_the_older_form_and_of_a_whole_reply() -> None:
    pieces = [{"tokens": ["a"], "token_logprobs": [-1.0]}, {"tokens": ["b"], "token_logprobs": [-2.0]}]
    body = b"".join(event({"choices": [{"text": "x", "logprobs": piece}]}) for piece in pieces) + finish()
    assert reply(body).logprobs == {"tokens": ["a", "b"], "token_logprobs": [-1.0, -2.0]}
    choice = {"message": {"content": "a"}, "logprobs": {"content": [token("a")]}, "finish_reason": "stop"}
    assert reply(json.dumps({"choices": [choice]}).encode()).logprobs == {"content": [token("a")]}


def test_log_probabilities_that_are_nested_too_deeply_are_ignored() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    body = event({"choices": [{"delta": {"content": "a"}, "logprobs": {"content": deep}}]}) + finish()
    assert (reply(body).text, reply(body).logprobs) == ("a", None)


def test_a_field_with_an_internal_name_is_ignored() -> None:
    odd = {"index": 0, "delta": {"content": "Hello"}, "choice.odd": {"text": "no", "error": None}}
    decoder = ReplyDecoder("text/event-stream")
    decoder.feed(event({"choices": [odd]}) + finish() + DONE)
    outcome = decoder.close()
    assert isinstance(outcome, Reply)
    assert outcome.text == "Hello"


@pytest.mark.parametrize(
    "part", [{"type": "text", "text": ["Oslo"]}, {"text": ["Oslo"]}, {"0": {}}, {"words": "Oslo"}], ids=repr
)
def test_a_part_that_cannot_be_read_fails_the_answer(part: Any) -> None:
    body = event({"choices": [{"delta": {"content": [part]}}]}) + HELLO + finish() + DONE
    assert failure(body).code == "bad_event"


@pytest.mark.parametrize("index", [1.5, True, "a", [0], {}], ids=repr)
@pytest.mark.parametrize("call_id", ["c", None])
def test_a_tool_call_with_a_fractional_index_fails_the_answer(index: Any, call_id: str | None) -> None:
    call = {"index": index, "id": call_id, "function": {"name": "f", "arguments": "{}"}}
    body = event({"choices": [{"delta": {"tool_calls": [call]}}]}) + finish("tool_calls") + DONE
    assert failure(body).code == "bad_event"
