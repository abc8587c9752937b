"""The fault matrix, rows 15 to 29: the possible contents of a response body. Typed by hand."""

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
from tests.support.fault_support import SAID, Case, Row, broken_off, each, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch.testing import Script
    from tests.support.fault_support import Framing

ALL = SAID[8]

PLAIN = head(200, content_type="text/event-stream", connection="close")
GZIP = head(200, content_type="text/event-stream", content_encoding="gzip", transfer_encoding="chunked")
OVERLOADED = event({"error": {"type": "overloaded_error", "message": "busy"}})
RATE_LIMIT = event({"error": {"code": 429, "message": "slow down"}})
SERVER_ERROR = event({"error": "internal error"})
INVALID = event({"error": {"type": "invalid_request_error", "message": "no"}})
TOO_LONG = event({"error": {"code": "context_length_exceeded", "message": "no"}})
BUSY = {"message": "busy"}
NAMED = b'event: error\ndata: {"message": "busy", "code": "crash"}\n\n'
PLAINLY = b"event: error\ndata: busy\n\n"
OBJECT = event({"object": "error", "message": "busy", "code": 500})
IN_CHOICE = event({"choices": [{"index": 0, "delta": {"content": ""}, "error": {"code": 502, **BUSY}}]})
FIELD = b'error: {"code": 500, "message": "busy"}\n\n'
SMALL = 4096


def typed(content: object) -> bytes:
    """A delta whose content may have any type."""
    return event({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]})


def ending(text: str, reason: str) -> bytes:
    """A delta with a finish reason beside its text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]})


def beside(reason: str) -> bytes:
    """All output, with the finish reason in the last event."""
    return delta("Hel") + ending("lo €", reason)


EACH = ending("Hel", "stop") + ending("lo €", "stop")


def finishing(reason: str) -> Callable[[Framing], Script]:
    """A play of a whole answer with this finish reason."""
    return lambda framing: framing.whole(said(5) + finish(reason) + DONE)


def saying(content: object) -> Callable[[Framing], Script]:
    """A play of an answer with a delta whose content may have any type."""
    return lambda framing: framing.whole(said(5) + typed(content) + finish() + DONE)


def sent(script: Script) -> list[Send]:
    """The parts of a script that are sent."""
    return [action for action in script if isinstance(action, Send)]


def says(code: int, body: bytes = b"", **headers: str) -> Callable[[Framing], Script]:
    """A play that answers with a status, in whatever framing."""
    return lambda _: status(code, body, **headers)


ROWS = [
    Row(
        "14b",
        "finish reason that is not in the closed lists",
        "7",
        "F",
        "unknown_finish",
        [
            Case("another word", 7, lambda f: f.whole(said(5) + finish("done") + DONE)),
            Case("no [DONE]", 7, lambda f: f.whole(said(5) + finish("done"))),
            Case("beside text", 7, lambda f: f.whole(beside("done") + DONE)),
            Case("a number", 7, lambda f: f.whole(said(5) + finish(7) + DONE)),  # type: ignore[arg-type]
            Case("a whole reply", 7, lambda f: [Send(a.data, f.step) for a in sent(whole(ALL, reason="x"))]),
        ],
        note="its text is kept as partial text; `finish_reasons` in the job file adds the word",
    ),
    Row(
        "14c",
        "finish reason that says broken off (`error`, `abort`, `network_error`, …)",
        "7",
        "R",
        "broken_off",
        [
            Case(word, 7, finishing(word))
            for word in ("error", "ABORT", "network_error", "insufficient_system_resource", "pause_turn")
        ],
        note="its text is kept as partial text",
    ),
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
            Case("beside text", 7, lambda f: f.whole(beside("stop"))),
            Case("beside each text", 7, lambda f: f.whole(EACH)),
            Case("end_turn", 7, lambda f: f.whole(said(5) + finish("end_turn"))),
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
            *each((5, 7), lambda at: Case("rate limit", at, lambda f: f.whole(said(at) + RATE_LIMIT + DONE))),
            *each((3, 5, 7), lambda at: Case("server error", at, lambda f: f.whole(said(at) + SERVER_ERROR))),
        ],
        note="between events, where an event can stand",
    ),
    Row(
        "18a",
        "error event: rate limit, in place of an answer",
        "3",
        "W",
        "api_error",
        [Case("rate limit", 3, lambda f: f.whole(said(3) + RATE_LIMIT + DONE))],
        note="as row 34b",
    ),
    Row(
        "18b",
        "an error in another shape: event name, `object: error`, `choices[].error`, `error:`, no choices",
        "3–7",
        "R",
        "api_error",
        [
            *each((3, 5, 7), lambda at: Case("event name", at, lambda f: f.whole(said(at) + NAMED + DONE))),
            *each((3, 5, 7), lambda at: Case("plain text", at, lambda f: f.whole(said(at) + PLAINLY + DONE))),
            *each((3, 5, 7), lambda at: Case("object: error", at, lambda f: f.whole(said(at) + OBJECT))),
            *each((3, 5, 7), lambda at: Case("choice", at, lambda f: f.whole(said(at) + IN_CHOICE + DONE))),
            *each((3, 5, 7), lambda at: Case("field", at, lambda f: f.whole(said(at) + FIELD + DONE))),
            Case("a 200 with `detail`", 3, says(200, b'{"detail": "busy"}')),
            Case("a 200 with `message`", 3, says(200, b'{"message": "busy"}')),
            Case("a 200 with a status", 3, says(200, b'{"status": 500, "msg": "busy"}')),
            Case("a 200 with a list", 3, says(200, b'[{"error": {"code": 503}}]')),
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
        "21b",
        "content of a wrong type",
        "4",
        "R×1",
        "bad_event",
        [Case(repr(odd), 4, saying(odd), text=SAID[5]) for odd in (7, True, {"text": "x"}, [7])],
        note="nothing that is said is dropped silently",
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
        [Case(word, 7, finishing(word)) for word in ("length", "MAX_TOKENS", "model_length")],
        "length",
    ),
    Row(
        "24b",
        "finish reason `length` and neither text, tool call nor refusal",
        "7",
        "F",
        "empty_length",
        [
            Case("nothing", 7, lambda f: f.whole(finish("length") + DONE), text=""),
            Case(
                "reasoning",
                7,
                lambda f: f.whole(delta(reasoning_content="Let me") + finish("max_tokens") + DONE),
                text="",
            ),
        ],
    ),
    Row(
        25,
        "finish reason that says filtered (`content_filter`, `SAFETY`, `refusal`, …)",
        "7",
        "F",
        "filtered",
        [Case(word, 7, finishing(word)) for word in ("content_filter", "SAFETY", "refusal", "sensitive")],
        note="its text is kept as partial text",
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
