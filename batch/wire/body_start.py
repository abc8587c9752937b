"""What kind of body a response has, by its first bytes: not every body is an event stream.

Some servers always answer with one JSON object, or with a page. A server may send white space while it
computes.
"""

from __future__ import annotations

from enum import Enum, auto

from batch.wire.sse import BOM

_BLANK = b" \t\r\n"


class BodyKind(Enum):
    """What a body is. ``UNKNOWN``: no byte that decides has come."""

    UNKNOWN = auto()
    EVENTS = auto()
    WHOLE = auto()
    PAGE = auto()


def body_start(head: bytes) -> tuple[BodyKind, bytes]:
    """Return the kind of the body that begins with ``head``, and the bytes to decode.

    If the kind is unknown, these bytes belong before the next ones: a part of a byte order mark, or one blank
    for any number of them.
    """
    if len(head) < len(BOM) and BOM.startswith(head):
        return BodyKind.UNKNOWN, head
    mark = BOM if head.startswith(BOM) else b""
    start = head[len(mark) :].lstrip(_BLANK)
    if not start:
        return BodyKind.UNKNOWN, mark + (b" " if len(head) > len(mark) else b"")
    if start.startswith(b"<"):
        return BodyKind.PAGE, start
    if start.startswith((b"{", b"[")):
        return BodyKind.WHOLE, start
    return BodyKind.EVENTS, mark + start
