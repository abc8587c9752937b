"""The fault matrix, rows 15 to 29: what the body of a response may hold. Typed by hand."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from batch.testing import (
    DONE,
    LAST_CHUNK,
    Cut,
    Send,
    chunk,
    delta,
    event,
    finish,
    head,
    status,
    whole,
)
from tests.fault_support import SAID, Case, Row, broken_off, each, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.testing import Script
    from tests.fault_support import Framing

ALL = SAID[8]

PLAIN = head(200, content_type="text/event-stream", connection="close")
GZIP = head(200, content_type="text/event-stream", content_encoding="gzip", transfer_encoding="chunked")
OVERLOADED = event({"error": {"type": "overloaded_error", "message": "busy"}})
RATE_LIMIT = event({"error": {"code": 429, "message": "slow down"}})
SERVER_ERROR = event({"error": "internal error"})
INVALID = event({"error": {"type": "invalid_request_error", "message": "no"}})
TOO_LONG = event({"error": {"code": "context_length_exceeded", "message": "no"}})
SMALL = 4096


def says(code: int, body: bytes = b"", **headers: str) -> Callable[[Framing], Script]:
    """A play that answers with a status, in whatever framing."""
    return lambda _: status(code, body, **headers)


ROWS = [
    Row(
        15,
        "`[DONE]` without a finish reason, something was said",
        "5",
        "S",
        "",
        [
            Case("[DONE]", 5, lambda framing: framing.whole(said(5) + DONE)),
            Case("[DONE] without a line end", 5, lambda framing: framing.whole(said(5) + DONE.rstrip())),
            Case("finish_reason: null", 5, lambda framing: framing.whole(said(5) + finish(None) + DONE)),
        ],
        "unverified",
    ),
    Row(
        15,
        "`[DONE]` without a finish reason, nothing was said",
        "5",
        "R×1",
        "empty",
        [Case("[DONE]", 5, lambda framing: framing.whole(DONE), text="")],
    ),
    Row(
        16,
        "finish reason, no `[DONE]`",
        "7",
        "S",
        "",
        [
            Case("end", 7, lambda framing: framing.whole(said(7))),
            Case("end without a line end", 7, lambda framing: framing.whole(said(7).rstrip())),
            Case("end by closing", 7, lambda f: [f.send(PLAIN + f.lines(said(7))), Cut()]),
            Case("at the top", 7, lambda f: f.whole(said(5) + event({"finish_reason": "stop"}))),
        ],
        "complete",
    ),
    Row(
        17,
        "`[DONE]` twice; data after it",
        "8",
        "S",
        "",
        [
            Case("[DONE] twice", 8, lambda framing: framing.whole(said(8) + DONE)),
            Case("a delta", 8, lambda framing: framing.whole(said(8) + delta("more"))),
            Case("an error", 8, lambda framing: framing.whole(said(8) + SERVER_ERROR)),
            Case("no JSON", 8, lambda framing: framing.whole(said(8) + b"data: {\n\n")),
            Case("no UTF-8", 8, lambda framing: framing.whole(said(8) + b"data: \xff\n\n")),
            Case("a lot", 8, lambda f: f.whole(said(8) + b"x" * SMALL), max_event=SMALL, max_body=SMALL),
        ],
        "complete",
        "ignored",
    ),
    Row(
        18,
        "error event: overloaded, rate limit, server error",
        "3–7",
        "R",
        "api_error",
        [
            *each((3, 5, 7), lambda at: Case("overloaded", at, lambda f: f.whole(said(at) + OVERLOADED))),
            *each(
                (3, 5, 7), lambda at: Case("rate limit", at, lambda f: f.whole(said(at) + RATE_LIMIT + DONE))
            ),
            *each((3, 5, 7), lambda at: Case("server error", at, lambda f: f.whole(said(at) + SERVER_ERROR))),
        ],
        note="between events, where an event can stand",
    ),
    Row(
        19,
        "error event: invalid request",
        "3–7",
        "F",
        "api_error",
        [
            *each((3, 5, 7), lambda at: Case("invalid request", at, lambda f: f.whole(said(at) + INVALID))),
            *each((3, 5, 7), lambda at: Case("too long", at, lambda f: f.whole(said(at) + TOO_LONG + DONE))),
        ],
        note="between events, where an event can stand",
    ),
    Row(
        20,
        "unknown event or field · comment · BOM · CR/LF/CRLF · several data lines",
        "any",
        "S",
        "",
        [
            Case("unknown event", 5, lambda f: f.whole(b"event: x\ndata: {}\n\n" + said(8))),
            Case("unknown field", 5, lambda f: f.whole(b"x: y\nz\n\n" + said(8))),
            Case("event, id and retry", 5, lambda f: f.whole(b"event: message\nid: 1\nretry: 1\n" + said(8))),
            Case(
                "comments",
                5,
                lambda f: f.whole(
                    said(5).replace(b"data", b": ping\n\n: ping\ndata") + said(8)[len(said(5)) :]
                ),
            ),
            Case("BOM", 3, lambda f: f.whole(b"\xef\xbb\xbf" + said(8))),
            Case(
                "CR",
                5,
                lambda f: [f.send(head()), f.send(chunk(said(8).replace(b"\n", b"\r"))), f.send(LAST_CHUNK)],
            ),
            Case(
                "several data lines",
                5,
                lambda f: f.whole(said(8).replace(b'{"choices"', b'{\ndata: "choices"')),
            ),
            Case("no space", 5, lambda f: f.whole(said(8).replace(b"data: ", b"data:"))),
            Case("empty data", 5, lambda f: f.whole(b"data:\n\n" + said(8))),
            Case("null", 5, lambda f: f.whole(b"data: null\n\n" + said(8))),
            Case("no choices", 5, lambda f: f.whole(event({"choices": []}) + said(8))),
            Case(
                "no content type",
                3,
                lambda f: [f.send(head(200, connection="close") + f.lines(said(8))), Cut()],
            ),
        ],
        "complete",
    ),
    Row(
        21,
        "an event that is not JSON",
        "4",
        "R×1",
        "bad_event",
        [
            Case(
                "half an object",
                4,
                lambda f: f.whole(said(5) + b"data: {\n\n" + finish() + DONE),
                text=SAID[5],
            ),
            Case("a word", 4, lambda f: f.whole(said(5) + b"data: oops\n\n" + finish() + DONE), text=SAID[5]),
        ],
    ),
    Row(
        22,
        "invalid UTF-8",
        "6",
        "R×1",
        "encoding",
        [
            Case(
                "Latin-1",
                6,
                lambda f: f.whole(said(5) + delta("é").replace(b"\xc3\xa9", b"\xe9") + finish()),
                text=SAID[5],
            ),
            Case("half a character", 6, lambda f: f.whole(said(6) + b'"}}]}\n\n' + finish() + DONE)),
        ],
    ),
    Row(
        23,
        "an event or the whole body over its cap; a decompression bomb",
        "3–7",
        "F",
        "too_large",
        [
            *each(
                range(3, 8),
                lambda at: Case(
                    "an event", at, lambda f: f.whole(said(at) + b"data: " + b"x" * SMALL), max_event=SMALL
                ),
            ),
            *each(
                (3, 5, 7),
                lambda at: Case(
                    "the body", at, lambda f: f.whole(said(at) + b": ping\n\n" * 600), max_body=SMALL
                ),
            ),
            Case(
                "a bomb",
                3,
                lambda f: [f.send(GZIP), f.send(chunk(gzip.compress(b"data: " + b"x" * 2**20)))],
                max_event=SMALL,
            ),
            Case(
                "a bomb of comments",
                3,
                lambda f: [f.send(GZIP), f.send(chunk(gzip.compress(b": ping\n\n" * 2**17)))],
                max_body=SMALL,
            ),
        ],
        note="after `[DONE]` nothing more is read (row 17)",
    ),
    Row(
        24,
        "finish reason `length`",
        "7",
        "S",
        "",
        [Case("length", 7, lambda framing: framing.whole(said(5) + finish("length") + DONE))],
        "length",
    ),
    Row(
        25,
        "finish reason `content_filter`",
        "7",
        "F",
        "filtered",
        [Case("content_filter", 7, lambda framing: framing.whole(said(5) + finish("content_filter") + DONE))],
    ),
    Row(
        26,
        "finish reason `stop`, nothing said",
        "7",
        "R×1",
        "empty",
        [Case("stop", 7, lambda framing: framing.whole(finish() + DONE), text="")],
    ),
    Row(
        27,
        "200 with HTML (an error page, a challenge)",
        "3",
        "R",
        "not_sse",
        [
            Case("a page", 3, says(200, b"<!doctype html><p>Wait", content_type="text/html")),
            Case("called a stream", 3, lambda f: f.whole(b"<html>\n\ndata: no\n\n")),
            Case("a text", 3, says(200, b"upstream error", content_type="text/plain")),
        ],
    ),
    Row(
        28,
        "200 with one JSON object",
        "3",
        "S",
        "",
        [
            Case(
                "an object",
                3,
                lambda f: [Send(action.data, f.step) for action in whole(ALL) if isinstance(action, Send)],
            ),
            Case("the connection breaks after it", 3, lambda _: broken_off(whole(ALL))),
        ],
        "complete",
    ),
    Row(
        29,
        "204 or an empty 200",
        "3",
        "R",
        "empty",
        [
            Case("204", 3, lambda f: [f.send(b"HTTP/1.1 204 No Content\r\n\r\n")]),
            Case("no content", 3, says(200, b"", content_type="text/event-stream")),
            Case("no chunk", 3, lambda framing: [framing.send(head() + LAST_CHUNK)]),
            Case("closed", 3, lambda framing: [framing.send(PLAIN), Cut()]),
        ],
    ),
]
