"""The bytes of replies, for scripts: both dialects answer in the same form."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from batch.testing.script import Script, Send

DONE = b"data: [DONE]\n\n"
"""The event that ends a stream."""

LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body."""


def head(code: int = 200, **headers: str) -> bytes:
    """Return status line and headers (underscores for hyphens); by default of a chunked event stream."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    if not lines:
        lines = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    return _head(code, lines)


def chunk(data: bytes) -> bytes:
    """Return the data as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: Any) -> bytes:
    """Return a server-sent event that carries a value as JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(content: str | None = None, **fields: Any) -> bytes:
    """Return the event of a piece of text; or of other message fields, such as ``reasoning_content``."""
    delta_fields = fields if content is None else {"content": content, **fields}
    return event({"choices": [{"index": 0, "delta": delta_fields, "finish_reason": None}]})


def finish(reason: str | None = "stop") -> bytes:
    """Return the event with the finish reason."""
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def answer(text: str, *, reason: str | None = "stop") -> Script:
    """Return a complete reply: the text word by word, the finish reason, ``[DONE]``."""
    words = re.split("(?= )", text)
    body = b"".join(map(delta, words)) + finish(reason) + DONE
    return [Send(head() + chunk(body) + LAST_CHUNK)]


def whole(text: str, *, reason: str | None = "stop") -> Script:
    """Return a complete reply that is not streamed: one JSON object."""
    message = {"role": "assistant", "content": text}
    reply = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return status(200, json.dumps(reply).encode(), content_type="application/json")


def status(code: int, body: bytes = b"", **headers: str) -> Script:
    """Return a whole response with any status, underscores in the headers' names as hyphens."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return [Send(_head(code, lines | {"content-length": str(len(body))}) + body)]


def _head(code: int, headers: dict[str, str]) -> bytes:
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "Unnamed"
    lines = [f"HTTP/1.1 {code} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
