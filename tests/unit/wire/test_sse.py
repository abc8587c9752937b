"""Server-sent events, byte by byte, by the WHATWG standard.

The vectors are typed from the rules of the standard (HTML, section 9.2), the fuzzer compares with a second
decoder that goes by them line by line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch.wire.sse import EventDecoder, EventTooLargeError
from tests.support.wire_support import FUZZ, every_feeding, one_by_one, pieces

BOM = b"\xef\xbb\xbf"


class Vector(NamedTuple):
    """A body, the data of its events, and the data of an event that was begun and never closed."""

    body: bytes
    events: list[bytes]
    rest: bytes | None = None


VECTORS = {
    # Nothing
    "an empty body": Vector(b"", []),
    "only line ends": Vector(b"\n\r\n\r\n\n\r\r", []),
    # Line ends
    "LF": Vector(b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
    "CRLF": Vector(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "CR": Vector(b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "CR, then CRLF": Vector(b"data: a\r\r\ndata: b\r\n\r", [b"a", b"b"]),
    "LF, then CR": Vector(b"data: a\n\rdata: b\n\r", [b"a", b"b"]),
    "LF, then CRLF": Vector(b"data: a\n\r\ndata: b\n\r\n", [b"a", b"b"]),
    "CRLF, then LF": Vector(b"data: a\r\n\ndata: b\r\n\n", [b"a", b"b"]),
    "LFCR is two ends": Vector(b"data: a\n\rdata: b\n\n", [b"a", b"b"]),
    "many empty lines between": Vector(b"data: a\n\n\n\n\r\n\rdata: b\n\n\n", [b"a", b"b"]),
    "empty lines before": Vector(b"\n\r\n\rdata: a\n\n", [b"a"]),
    "LS, PS, NEL, VT and FF end no line": Vector(
        b"data: a\xe2\x80\xa8b\xe2\x80\xa9c\xc2\x85d\x0be\x0cf\n\n",
        [b"a\xe2\x80\xa8b\xe2\x80\xa9c\xc2\x85d\x0be\x0cf"],
    ),
    # The byte order mark
    "a BOM": Vector(BOM + b"data: a\n\n", [b"a"]),
    "two BOMs: the second is a part of the name": Vector(BOM + BOM + b"data: a\n\ndata: b\n\n", [b"b"]),
    "a BOM after the first line": Vector(b"data: a\n\n" + BOM + b"data: b\n\n", [b"a"]),
    "a BOM in the data": Vector(b"data: " + BOM + b"a\n\n", [BOM + b"a"]),
    "a BOM and nothing": Vector(BOM, []),
    "a part of a BOM": Vector(BOM[:2] + b"data: a\n\ndata: b\n\n", [b"b"]),
    "a BOM, then an empty line": Vector(BOM + b"\ndata: a\n\n", [b"a"]),
    # The colon
    "without a space": Vector(b"data:a\n\n", [b"a"]),
    "one space belongs to the colon, no more": Vector(b"data:  a\n\n", [b" a"]),
    "a tab does not": Vector(b"data:\ta\n\n", [b"\ta"]),
    "a space at the end is data": Vector(b"data: a \n\n", [b"a "]),
    "colons in the data": Vector(b"data: a: b::c\n\n", [b"a: b::c"]),
    "the data that looks like a field": Vector(b"data: data: a\n\n", [b"data: a"]),
    # Comments and other fields
    "comments": Vector(b": ping\n\n:\n\n:data: no\ndata: a\n: between\n\n", [b"a"]),
    "event, id and retry": Vector(b"event: x\nid: 1\nretry: 10\ndata: a\n\n", [b"a"]),
    "an event without data": Vector(b"event: x\nid: 1\n\n", []),
    "an id with NUL": Vector(b"id: a\0b\ndata: a\n\n", [b"a"]),
    "an unknown field": Vector(b"datum: x\ndata: a\nDATA: y\n\n", [b"a"]),
    "a space before the name makes another name": Vector(b" data: a\ndata: b\n\n", [b"b"]),
    "a space after the name, too": Vector(b"data : a\ndata: b\n\n", [b"b"]),
    "a line without a colon": Vector(b"nothing\ndata: a\n\n", [b"a"]),
    # Data
    "several lines": Vector(b"data: a\ndata: b\ndata: c\n\n", [b"a\nb\nc"]),
    "several lines with others between": Vector(b"data: a\n: no\nid: 1\ndata:b\n\n", [b"a\nb"]),
    "an empty line of data among others": Vector(b"data: a\ndata:\ndata: b\n\n", [b"a\n\nb"]),
    "empty data": Vector(b"data:\n\n", [b""]),
    "empty data with a space": Vector(b"data: \n\n", [b""]),
    "the field's name alone": Vector(b"data\n\n", [b""]),
    "the standard's example of names alone": Vector(b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"], b""),
    "NUL": Vector(b"data: a\0b\n\n", [b"a\0b"]),
    "not UTF-8": Vector(b"data: \xff\xfe\xc3\n\n", [b"\xff\xfe\xc3"]),
    "UTF-8 of every length": Vector(
        "data: é€𝄞\n\ndata: 日本\n\n".encode(), ["é€𝄞".encode(), "日本".encode()]
    ),
    "JSON": Vector(b'data: {"a": "\\n"}\n\ndata: [DONE]\n\n', [b'{"a": "\\n"}', b"[DONE]"]),
    # An event that is never closed
    "no empty line at the end": Vector(b"data: a\n\ndata: b\n", [b"a"], b"b"),
    "no line end at the end": Vector(b"data: a\n\ndata: b", [b"a"], b"b"),
    "no empty line after several lines": Vector(b"data: a\r\ndata: b\r\n", [], b"a\nb"),
    "a comment at the end": Vector(b"data: a\n\n: bye", [b"a"]),
    "half a name at the end": Vector(b"data: a\n\ndat", [b"a"]),
}


def run(parts: list[bytes]) -> Vector:
    decoder = EventDecoder()
    events = [event for part in parts for event in decoder.feed(part)]
    return Vector(b"".join(parts), events, decoder.close())


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_vectors_whole_byte_by_byte_and_at_every_split(vector: Vector) -> None:
    for parts in every_feeding(vector.body):
        assert run(parts) == vector, parts


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_vectors_mean_the_same_with_every_line_end(vector: Vector, ending: bytes) -> None:
    body = re.sub(rb"\r\n|\r|\n", lambda _: ending, vector.body)
    assert run([body])[1:] == vector[1:]
    assert run(one_by_one(body))[1:] == vector[1:]


def by_the_standard(body: bytes) -> Vector:
    """Line by line: the rules of sections 9.2.5 and 9.2.6, in their order."""
    lines = re.split(rb"\r\n|\n|\r", body.removeprefix(BOM))
    events: list[bytes] = []
    data: list[bytes] = []
    for line in lines[:-1]:
        if line:
            interpret(line, data)
            continue
        if data:
            events.append(b"\n".join(data))
        data = []
    interpret(lines[-1], data)
    return Vector(body, events, b"\n".join(data) if data else None)


def interpret(line: bytes, data: list[bytes]) -> None:
    if line == b"data":
        data.append(b"")
    elif line.startswith(b"data:"):
        value = line[len(b"data:") :]
        data.append(value[1:] if value.startswith(b" ") else value)


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_second_decoder_agrees_with_the_vectors(vector: Vector) -> None:
    assert by_the_standard(vector.body) == vector


TOKENS = [b"\n", b"\r", b"\r\n", b"\n\n", b"data", b"data:", b"data: ", b":", b" ", b"event: x", b"id", b"a"]
TOKENS += [BOM, BOM[:1], BOM[1:], b"\0", b"\xff", "é€𝄞\u2028\x85".encode(), b'{"a":1}', b"[DONE]"]
streams = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=3), max_size=40).map(b"".join)


@FUZZ
@given(pieces(streams))
@example([b"data: a\r", b"", b"\n\r\n"])
def test_fuzz_any_bytes_in_any_pieces_decode_by_the_standard(parts: list[bytes]) -> None:
    assert run(parts) == by_the_standard(b"".join(parts))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"data: " + b"a" * 200 + b"\n\n", id="one line"),
        pytest.param(b"data: " + b"a" * 200, id="a line that never ends"),
        pytest.param(b"data: aaaaaaaa\n" * 20, id="lines that never end their event"),
        pytest.param(b": " + b"a" * 200, id="a comment that never ends"),
    ],
)
def test_an_event_beyond_its_size_limit_is_refused_for_any_split(body: bytes) -> None:
    for parts in every_feeding(body):
        decoder = EventDecoder(max_event=100)
        with pytest.raises(EventTooLargeError, match="100 bytes"):
            list(map(decoder.feed, parts))


def test_the_size_limit_is_for_an_event_and_not_for_the_stream() -> None:
    body = b"data: aaaaaaaaaa\n\n" * 100
    decoder = EventDecoder(max_event=100)
    assert decoder.feed(body) == [b"a" * 10] * 100


def test_an_event_of_a_megabyte_in_small_pieces_takes_linear_time() -> None:
    """Each piece is read once: a quadratic decoder would copy 512 GiB."""
    decoder = EventDecoder()
    decoder.feed(b"data: ")
    for _ in range(2**20):
        decoder.feed(b"a")
    assert decoder.feed(b"\n\n") == [b"a" * 2**20]


def test_events_before_one_that_is_too_large_are_returned_first() -> None:
    huge = b"data: " + b"a" * 200
    decoder = EventDecoder(max_event=100)
    assert decoder.feed(b"data: a\n\n" + huge) == [b"a"]
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"a")
    decoder = EventDecoder(max_event=100)
    assert decoder.feed(b"data: a\n\n" + huge) == [b"a"]
    with pytest.raises(EventTooLargeError):
        decoder.close()
