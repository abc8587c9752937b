"""Bulk decoding of events gives the same result as decoding them one by one, or is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.wire import bulk_decoder
from batch.wire.chat_chunk import decode
from batch.wire.sse import EventDecoder
from tests.support.wire_support import DONE, FUZZ, decoded

if TYPE_CHECKING:
    from batch.wire.chat_chunk import Chunk

PLAIN = b'data: {"choices": [{"delta": {"content": "a"}}]}'
OTHER = (
    b'data: {"choices":[{"index":0,"delta":{"content":"}{ \\u00e9"},"finish_reason":null}],"x":{"y":[{}]}}'
)

EXACT = {
    "one event": PLAIN,
    "several events": b"\n\n".join([PLAIN, OTHER, PLAIN]),
    "an event of no use": b'data: {"x": [{}, {"y": {}}]}',
}

REFUSED = {
    "nothing": b"",
    "no space after the colon": b"data:{}",
    "a comment between": b"\n\n".join([PLAIN, b": ping", PLAIN]),
    "another field": b"id: 1\n" + PLAIN,
    "a field of no name inside": b'data: {"model": "a",\n"usage": null}',
    "an empty line too many": PLAIN + b"\n\n\n" + PLAIN,
    "several data lines": b"data: {}\ndata: {}",
    "[DONE]": PLAIN + b"\n\ndata: [DONE]",
    "white space after": PLAIN + b" \n\n" + PLAIN,
    "two values in one event": b"data: {} {}",
    "a value cut over two events": b'data: {"choices":[{}\n\ndata: {}]}',
    "two values here, half of one there": b'data: {} {}\n\ndata: {"choices":[{}\n\ndata: {}]}',
    "two values here, a text cut over two events there": (
        b'data: {"choices":[{"delta":{"content":"}\n\ndata: {"}}]}\n\ndata: {} {}'
    ),
    "a scalar": b"data: 1",
    "an unpaired surrogate": b'data: {"model": "\\ud83d"}',
    "a number where a text is due": b'data: {"model": 1}',
    "nested too deeply": b'data: {"error":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "not UTF-8": b'data: {"model": "\xff"}',
}

SCRAPS = [
    *(
        b"data: ",
        b"data:",
        b"\n",
        b"\n\n",
        b"\n\ndata: ",
        b"}\n\ndata: {",
        b'"}\n\ndata: {"',
        b"[DONE]",
        b": ping",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b" ",
        b"1",
        b"null",
        b"{}",
        b'{"model": "m"}',
        b'"error"',
    ),
    *(PLAIN, OTHER, b"\xff", b'"\\ud83d"', b'{"choices":[{}', b"{}]}"),
]


def one_by_one(events: bytes) -> list[Chunk]:
    """What the events say when each is decoded by itself."""
    return [decode(event) for event in EventDecoder().cut(events)]


def decoded_run(events: bytes) -> list[Chunk] | None:
    """What a run of events says, decoded in one go, where it can be."""
    insides = bulk_decoder.insides(events)
    return None if insides is None else bulk_decoder.decode(insides)


def texts_of(events: bytes, *, model_is_known: bool = True) -> tuple[list[str], str | None] | None:
    """The texts of a run of events that bring nothing else, and the name of the model."""
    insides = bulk_decoder.insides(events)
    return None if insides is None else bulk_decoder.texts(insides, model_is_known=model_is_known)


@pytest.mark.parametrize("events", EXACT.values(), ids=EXACT)
def test_a_plain_run_is_decoded_in_one_go(events: bytes) -> None:
    assert decoded_run(events) == one_by_one(events)


@pytest.mark.parametrize("events", REFUSED.values(), ids=REFUSED)
def test_any_other_run_takes_the_general_path(events: bytes) -> None:
    assert decoded_run(events) is None
    assert texts_of(events) is None


@FUZZ
@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map(b"".join))
def test_fuzz_a_run_decodes_to_the_same_as_its_events(events: bytes) -> None:
    run = decoded_run(events)
    assert run is None or run == one_by_one(events)


WHOLE = [b"{}", b'{"model":"m"}', b'{"x":{"y":[{}]}}']
NOT_ONE_VALUE = [b"{} {}", b'{"x":[{}', b"{}]}", b'{"x":"}', b'{"}']


@FUZZ
@given(st.lists(st.sampled_from(WHOLE + NOT_ONE_VALUE), min_size=1))
def test_fuzz_two_values_in_one_event_never_compensate_for_split_ones(values: list[bytes]) -> None:
    events = b"\n\n".join(b"data: " + value for value in values)
    assert (decoded_run(events) is not None) == all(value in WHOLE for value in values)


# Runs that only bring text


BRINGS_TEXT = {
    "as it is": b'{"choices":[{"delta":{"content":"a"}}]}',
    "empty": b'{"choices":[{"delta":{"content":""}}]}',
    "no text": b'{"choices":[{"delta":{"content":null}}]}',
    "only a role": b'{"choices":[{"delta":{"role":"assistant"}}]}',
    "nothing": b'{"choices":[{"delta":{}}]}',
    "with all that says nothing": (
        b'{"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"a","reasoning":null,"refusal":'
        b'null,"tool_calls":null},"logprobs":null,"finish_reason":null}],"usage":null,"error":null}'
    ),
    "after the model's name": b'{"model":"m","choices":[{"delta":{"content":"a"}}]}',
    "with further keys in the choice": (
        b'{"choices":[{"index":0,"delta":{"content":"a"},"stop_reason":null,"token_ids":[1],"x":{"y":1}}]}'
    ),
    "with further keys in the delta": b'{"choices":[{"delta":{"content":"a","annotations":[],"x":1}}]}',
    "with a role of another type": b'{"choices":[{"delta":{"content":"a","role":1}}]}',
}
BRINGS_MORE = {
    "a finish": b'{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}',
    "a finish at the top": b'{"finish_reason":"stop","choices":[{"delta":{"content":"a"}}]}',
    "usage": b'{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}',
    "an error": b'{"choices":[{"delta":{"content":"a"}}],"error":{"code":"x"}}',
    "reasoning": b'{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}',
    "reasoning_content": b'{"choices":[{"delta":{"content":"a","reasoning_content":"b"}}]}',
    "a refusal": b'{"choices":[{"delta":{"content":"a","refusal":"b"}}]}',
    "a tool call": b'{"choices":[{"delta":{"content":"a","tool_calls":[]}}]}',
    "another choice": b'{"choices":[{"index":1,"delta":{"content":"a"}}]}',
    "logprobs": b'{"choices":[{"delta":{"content":"a"},"logprobs":{"content":[]}}]}',
    "an error in the choice": b'{"choices":[{"delta":{"content":"a"},"error":{"code":"x"}}]}',
    "an error in the delta": b'{"choices":[{"delta":{"content":"a","error":{"code":"x"}}}]}',
    "a text in the choice": b'{"choices":[{"delta":{"content":"a"},"text":"b"}]}',
    "a function call": b'{"choices":[{"delta":{"content":"a","function_call":{"name":"f"}}}]}',
    "a message beside the delta": b'{"choices":[{"delta":{"content":"a"},"message":{"content":"b"}}]}',
    "usage in the choice": b'{"choices":[{"delta":{"content":"a"},"usage":{"prompt_tokens":1}}]}',
    "usage in a field of its own": b'{"choices":[{"delta":{"content":"a"}}],"x_groq":{"usage":{}}}',
    "two choices": b'{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}',
    "no choice": b'{"choices":[]}',
    "a message": b'{"choices":[{"message":{"content":"a"}}]}',
    "no delta": b'{"choices":[{"delta":null}]}',
    "a text in parts": b'{"choices":[{"delta":{"content":[{"text":"a"}]}}]}',
}


@pytest.mark.parametrize("value", BRINGS_TEXT.values(), ids=BRINGS_TEXT)
def test_a_run_of_texts_is_those_texts(value: bytes) -> None:
    texts = ["a", "a"] if b'"content":"a"' in value else ["a"]
    assert texts_of(b"\n\n".join([b"data: " + value, PLAIN])) == (texts, None)
    assert texts_of(b"\n\n".join([PLAIN, b"data: " + value])) == (texts, None)


@pytest.mark.parametrize("value", BRINGS_MORE.values(), ids=BRINGS_MORE)
def test_a_run_with_other_content_is_not_decoded_as_texts(value: bytes) -> None:
    assert texts_of(b"\n\n".join([PLAIN, b"data: " + value])) is None
    assert texts_of(b"\n\n".join([b"data: " + value, PLAIN])) is None


@pytest.mark.parametrize("name", [b'""', b"null", b'"m"'])
def test_the_first_name_of_the_model_is_taken_until_it_is_known(name: bytes) -> None:
    first = b'data: {"model":' + name + b',"choices":[{"delta":{"content":"a"}}]}'
    second = b'data: {"model":"n","choices":[{"delta":{"content":"b"}}]}'
    events = b"\n\n".join([PLAIN, first, second])
    assert texts_of(events, model_is_known=False) == (["a", "a", "b"], "m" if name == b'"m"' else "n")
    assert texts_of(events) == (["a", "a", "b"], None)
    assert texts_of(PLAIN, model_is_known=False) == (["a"], None)


def test_an_event_without_text_that_may_contain_an_error_is_not_decoded_as_texts() -> None:
    silent = b'data: {"choices":[{"delta":{}}],"x":{"error":"no"}}'
    speaking = b'data: {"choices":[{"delta":{"content":"a"}}],"x":{"error":"no"}}'
    assert texts_of(b"\n\n".join([PLAIN, silent])) is None
    assert texts_of(b"\n\n".join([PLAIN, speaking])) == (["a", "a"], None)


@pytest.mark.parametrize("name", [b"1", b"[]", b"{}", b"true"])
def test_a_model_name_of_another_type_is_not_decoded_as_texts_until_it_is_known(name: bytes) -> None:
    event = b'data: {"model":' + name + b',"choices":[{"delta":{"content":"a"}}]}'
    assert texts_of(event, model_is_known=False) is None
    assert texts_of(event) == (["a"], None)


@FUZZ
@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map(b"".join))
def test_fuzz_the_insides_of_events_are_complete(events: bytes) -> None:
    insides = bulk_decoder.insides(events)
    assert insides is None or bulk_decoder.outsides(insides) == events


TEXTS_AND_MORE = [*BRINGS_TEXT.values()] * 6 + [*BRINGS_MORE.values()]
LAST = [
    b'{"choices":[{"delta":{},"finish_reason":"stop"}]}',
    b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
]


@FUZZ
@given(
    st.lists(st.sampled_from(TEXTS_AND_MORE), max_size=40),
    st.sampled_from([LAST[:0], LAST[:1], LAST[1:], LAST]),
    st.lists(st.integers(0, 3000), max_size=4),
)
def test_fuzz_a_reply_is_the_same_whether_or_not_its_events_are_read_as_runs(
    values: list[bytes], last: list[bytes], cuts: list[int]
) -> None:
    """A comment before each event keeps the decoder from taking any two of them as a run."""
    values = values + last
    body = b"".join(b"data: " + value + b"\n\n" for value in values)
    apart = b"".join(b": alone\ndata: " + value + b"\n\n" for value in values)
    ends = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    parts = [body[start:end] for start, end in pairwise(ends)]
    assert repr(decoded(parts)) == repr(decoded([apart]))
    assert repr(decoded([body + DONE])) == repr(decoded([apart + DONE]))
