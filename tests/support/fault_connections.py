"""The fault matrix, rows 1 to 14: connections that fail, break or stall. Typed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch.providers.timeouts import Timeouts
from batch.testing import (
    LAST_CHUNK,
    Cut,
    Drip,
    Pause,
    Reset,
    Stall,
    answer,
    chunk,
    delta,
    event,
    head,
    status,
)
from tests.support.fault_support import SAID, Case, Row, each, gzipped, said

if TYPE_CHECKING:
    from batch.testing import Script
    from tests.support.fault_support import Framing

SILENT = Timeouts(connect=10, first_byte=0.05, idle=10)
IDLE = Timeouts(connect=10, first_byte=10, idle=0.05)
FINISHING = Timeouts(connect=10, first_byte=10, idle=10, finish=0.05)
ALL = SAID[8]

PLAIN = head(200, content_type="text/event-stream", connection="close")
GZIP = head(200, content_type="text/event-stream", content_encoding="gzip", transfer_encoding="chunked")
PING = chunk(b": ping\n\n")
BESIDE_TEXT = delta("Hel") + event(
    {"choices": [{"index": 0, "delta": {"content": "lo €"}, "finish_reason": "stop"}]}
)


def provisional(framing: Framing) -> Script:
    """A reply up to a finish reason beside its last text."""
    return [framing.send(head()), framing.body(BESIDE_TEXT)]


ROWS = [
    Row(
        1,
        "connection refused · DNS failure · connect timeout",
        "0",
        "R",
        "connect",
        [
            Case("refused", 0, setting="refused"),
            Case("unknown host", 0, setting="unknown host"),
            Case("no handshake", 0, setting="no handshake", timeouts=Timeouts(connect=0.05)),
        ],
        note="alone among successes; else the endpoint is out",
    ),
    Row(
        2,
        "TLS certificate not valid",
        "0",
        "H",
        "tls",
        [
            Case("signed by itself", 0, setting="self-signed"),
            Case("expired", 0, setting="expired"),
            Case("another host's", 0, setting="another's"),
        ],
    ),
    Row(
        3,
        "our own file-descriptor limit (EMFILE)",
        "0",
        "H",
        "fd_limit",
        [Case("no descriptor left", 0, setting="no descriptors")],
        note="fewer connections; no attempt charged",
    ),
    Row(
        4,
        "a *reused* connection died before any byte came",
        "1",
        "S",
        "",
        [
            Case("close", 1, lambda _: [Cut()], before=answer("pilot"), then=answer(ALL), requests=2),
            Case("reset", 1, lambda _: [Reset()], before=answer("pilot"), then=answer(ALL), requests=2),
        ],
        "complete",
        "once more at once, on a fresh connection; no attempt charged",
    ),
    Row(
        "4a",
        "an empty 400 from a proxy on a *reused* connection",
        "1",
        "S",
        "",
        [
            Case(
                "400 without a body",
                1,
                lambda _: status(400),
                setting="proxied",
                before=answer("pilot"),
                then=answer(ALL),
                requests=2,
            )
        ],
        "complete",
        "once more at once, on a fresh connection: some proxies say so of a connection that has died behind "
        "them; no attempt charged",
    ),
    Row(
        "4b",
        "an empty 400 on a *reused* connection without a proxy",
        "1",
        "F",
        "bad_request",
        [Case("400 without a body", 1, lambda _: status(400), before=answer("pilot"))],
        note="an answer like any other 400",
    ),
    Row(
        5,
        "reset or close",
        "1–6",
        "R",
        "truncated",
        [
            *each(range(1, 7), lambda at: Case("reset", at, lambda framing: [*framing.to(at), Reset()])),
            *each(range(1, 7), lambda at: Case("close", at, lambda framing: [*framing.to(at), Cut()])),
            Case("reset after a finish reason beside text", 5, lambda f: [*provisional(f), Reset()]),
            Case("close after a finish reason beside text", 5, lambda f: [*provisional(f), Cut()]),
            Case(
                "a body without a length ends after a finish reason beside text",
                5,
                lambda f: [f.send(PLAIN + f.lines(BESIDE_TEXT)), Cut()],
            ),
            Case(
                "close on a reused connection",
                2,
                lambda framing: [*framing.to(2), Cut()],
                before=answer("pilot"),
            ),
            *each(
                range(3, 7),
                lambda at: Case(
                    "less than its content-length",
                    at,
                    lambda framing: [
                        framing.send(head(200, content_type="text/event-stream", content_length="9999")),
                        framing.send(framing.lines(said(at)) or b"\n"),
                        Cut(),
                    ],
                ),
            ),
        ],
    ),
    Row(
        6,
        "reset or close",
        "7–8",
        "S",
        "",
        [
            *each((7, 8), lambda at: Case("reset", at, lambda framing: [*framing.to(at), Reset()])),
            *each((7, 8), lambda at: Case("close", at, lambda framing: [*framing.to(at), Cut()])),
        ],
        "complete",
    ),
    Row(
        7,
        "silence, or only comments and pings",
        "1–3",
        "R",
        "first_byte_timeout",
        [
            *each(
                range(1, 4),
                lambda at: Case("silence", at, lambda framing: [*framing.to(at), Stall()], timeouts=SILENT),
            ),
            Case("headers without end", 2, lambda f: [*f.to(2), Drip(b"x", 0.005)], timeouts=SILENT),
            Case("comments", 3, lambda f: [*f.to(3), Drip(PING, 0.005)], timeouts=SILENT),
            Case("empty deltas", 3, lambda f: [*f.to(3), Drip(chunk(delta("")), 0.005)], timeouts=SILENT),
        ],
    ),
    Row(
        8,
        "silence",
        "4–6",
        "R",
        "idle_timeout",
        [
            *each(
                range(4, 7),
                lambda at: Case("silence", at, lambda framing: [*framing.to(at), Stall()], timeouts=IDLE),
            ),
            Case("after a finish reason beside text", 5, lambda f: [*provisional(f), Stall()], timeouts=IDLE),
        ],
    ),
    Row(
        9,
        "silence",
        "7",
        "S",
        "",
        [
            Case("silence", 7, lambda f: [*f.to(7), Stall()], timeouts=FINISHING),
            Case("comments", 7, lambda f: [*f.to(7), Drip(PING, 0.005)], timeouts=FINISHING),
        ],
        "complete",
        "after a grace of 1 s",
    ),
    Row(
        10,
        "connection kept open, no close",
        "8",
        "S",
        "",
        [
            Case("open", 8, lambda framing: [*framing.to(8), Stall()]),
            Case("comments", 8, lambda framing: [*framing.to(8), Drip(PING, 0.005)]),
        ],
        "complete",
        "at once",
    ),
    Row(
        11,
        "only comments or pings; or one byte now and then",
        "4–6",
        "R",
        "idle_timeout",
        [
            *each(
                (4, 6),
                lambda at: Case(
                    "one byte", at, lambda framing: [*framing.to(at), Drip(chunk(b"x"), 0.005)], timeouts=IDLE
                ),
            ),
            Case("comments", 5, lambda f: [*f.to(5), Drip(PING, 0.005)], timeouts=IDLE),
            Case("empty deltas", 5, lambda f: [*f.to(5), Drip(chunk(delta("")), 0.005)], timeouts=IDLE),
        ],
        note="only deltas feed the clock",
    ),
    Row(
        12,
        "malformed or oversized headers",
        "2",
        "R×1",
        "protocol",
        [
            Case("no status line", 2, lambda f: [f.send(b"hello\r\n\r\n"), Cut()]),
            Case("no header", 2, lambda f: [f.send(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n"), Cut()]),
            Case(
                "a header of 10 kB",
                2,
                lambda f: [f.send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 10_000 + b"\r\n\r\n"), Cut()],
            ),
            Case(
                "1000 headers",
                2,
                lambda f: [f.send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n"), Cut()],
            ),
        ],
    ),
    Row(
        13,
        "bad chunk framing; truncated gzip though identity was asked",
        "3–6",
        "R",
        "truncated",
        [
            *each(
                range(3, 7),
                lambda at: Case(
                    "bad framing",
                    at,
                    lambda framing: [*framing.to(at), Pause(0.01), framing.send(b"no size\r\n"), Stall()],
                ),
            ),
            *each(
                range(3, 7),
                lambda at: Case(
                    "truncated gzip",
                    at,
                    lambda framing: [
                        framing.send(GZIP),
                        framing.send(chunk(gzipped(framing.lines(said(at)), whole=False)) + LAST_CHUNK),
                    ],
                ),
            ),
            *each(
                (4, 5),
                lambda at: Case(
                    "damaged gzip",
                    at,
                    lambda framing: [
                        framing.send(GZIP),
                        framing.send(
                            chunk(gzipped(framing.lines(said(at)), whole=False)) + chunk(b"\xff" * 9)
                        ),
                        framing.send(LAST_CHUNK),
                    ],
                ),
            ),
        ],
    ),
    Row(
        14,
        "body ends with neither finish reason nor `[DONE]`, something was said",
        "4–6",
        "R",
        "truncated",
        [
            *each(range(4, 7), lambda at: Case("end", at, lambda framing: framing.whole(said(at)))),
            *each(
                range(4, 7),
                lambda at: Case(
                    "end by closing",
                    at,
                    lambda framing: [framing.send(PLAIN + framing.lines(said(at))), Cut()],
                ),
            ),
        ],
    ),
]
