"""What a body is, by its first bytes, however they are cut."""

from __future__ import annotations

import pytest

from batch.wire.body_start import BodyKind, body_start

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("head", "kind", "rest"),
    [
        (b"", BodyKind.UNKNOWN, b""),
        (b"\xef", BodyKind.UNKNOWN, b"\xef"),
        (b"\xef\xbb", BodyKind.UNKNOWN, b"\xef\xbb"),
        (MARK, BodyKind.UNKNOWN, MARK),
        (b" \r\n\t" * 100, BodyKind.UNKNOWN, b" "),
        (MARK + b"\n\n", BodyKind.UNKNOWN, MARK + b" "),
        (b"\n\ndata: x", BodyKind.EVENTS, b"data: x"),
        (MARK + b"data: x", BodyKind.EVENTS, MARK + b"data: x"),
        (b": ping", BodyKind.EVENTS, b": ping"),
        (b"\xef\xbbx", BodyKind.EVENTS, b"\xef\xbbx"),
        (b'  {"a"', BodyKind.WHOLE, b'{"a"'),
        (MARK + b"[1", BodyKind.WHOLE, b"[1"),
        (b"\n<!doctype", BodyKind.PAGE, b"<!doctype"),
        (MARK + b" <html", BodyKind.PAGE, b"<html"),
    ],
)
def test_the_first_byte_that_says_something_decides(head: bytes, kind: BodyKind, rest: bytes) -> None:
    assert body_start(head) == (kind, rest)


@pytest.mark.parametrize(
    "body", [MARK + b"\r\n data: x", b" \n {}", MARK + b"<p>", b"\xef\xbby", b"event: a"]
)
def test_it_is_the_same_wherever_the_bytes_are_cut(body: bytes) -> None:
    whole, _ = body_start(body)
    for cut in range(len(body)):
        kind, kept = body_start(body[:cut])
        if kind is BodyKind.UNKNOWN:
            assert body_start(kept + body[cut:])[0] is whole
        else:
            assert kind is whole
