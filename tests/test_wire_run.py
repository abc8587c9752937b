"""A run of events decoded in one go is what they are one by one, or it is not taken at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.wire.chunks import decode, decode_run
from batch.wire.sse import EventDecoder
from tests.wire_support import FUZZ

if TYPE_CHECKING:
    from batch.wire.chunks import Chunk

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
    "a scalar": b"data: 1",
    "half of a surrogate pair": b'data: {"model": "\\ud83d"}',
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


@pytest.mark.parametrize("events", EXACT.values(), ids=EXACT)
def test_a_plain_run_is_decoded_in_one_go(events: bytes) -> None:
    assert decode_run(events) == one_by_one(events)


@pytest.mark.parametrize("events", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_left_to_the_slow_way(events: bytes) -> None:
    assert decode_run(events) is None


@FUZZ
@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map(b"".join))
def test_fuzz_a_run_is_never_something_else_than_its_events(events: bytes) -> None:
    run = decode_run(events)
    assert run is None or run == one_by_one(events)


WHOLE = [b"{}", b'{"model":"m"}', b'{"x":{"y":[{}]}}']
NOT_ONE_VALUE = [b"{} {}", b'{"x":[{}', b"{}]}"]


@FUZZ
@given(st.lists(st.sampled_from(WHOLE + NOT_ONE_VALUE), min_size=1))
def test_fuzz_two_values_in_one_event_never_make_up_for_half_of_one_in_others(values: list[bytes]) -> None:
    events = b"\n\n".join(b"data: " + value for value in values)
    assert (decode_run(events) is not None) == all(value in WHOLE for value in values)
