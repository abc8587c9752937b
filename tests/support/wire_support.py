"""Bodies as servers send them, ways to feed them to a decoder, and the number of cases of a fuzzer."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from batch.errors import AttemptError
from batch.records import Failure, Reply
from batch.wire.reply_decoder import ReplyDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from batch.records import Outcome

FUZZ = settings(
    max_examples=int(os.environ.get("PROMPTJOBS_FUZZ", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""A million: ``PROMPTJOBS_FUZZ=1000000 pytest -k fuzz_seeded tests``; without ``_seeded`` it takes hours."""

BOM = b"\xef\xbb\xbf"
DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    """One event that carries the value as JSON."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def delta(content: Any = None, **fields: Any) -> bytes:
    """One event that adds to the message."""
    return event({"choices": [{"index": 0, "delta": {"content": content, **fields}, "finish_reason": None}]})


def finish(reason: str | None = "stop") -> bytes:
    """One event that ends the message."""
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def whole(message: Any, **fields: Any) -> bytes:
    """A reply that is not streamed."""
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], **fields}).encode()


HELLO = delta("Hel") + delta("lo")
GOOD = HELLO + finish() + DONE
MESSAGE = whole({"role": "assistant", "content": "Hello"}, model="m")
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def two_splits(stream: bytes) -> Iterator[list[bytes]]:
    """Every way to cut the stream in two."""
    return ([stream[:cut], stream[cut:]] for cut in range(len(stream) + 1))


def one_by_one(stream: bytes) -> list[bytes]:
    """Byte by byte."""
    return [stream[at : at + 1] for at in range(len(stream))]


def every_feeding(stream: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and at every 2-split."""
    yield [stream]
    yield one_by_one(stream)
    yield from two_splits(stream)


@st.composite
def pieces(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> list[bytes]:
    """A stream, cut wherever it likes."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def decoded(
    parts: Iterable[bytes],
    content_type: str = "text/event-stream",
    *,
    max_event: int = 2**22,
    max_body: int = 2**24,
) -> Outcome:
    """The outcome of a body that came in these parts and ended in order."""
    decoder = ReplyDecoder(content_type, max_event=max_event, max_body=max_body)
    try:
        for part in parts:
            decoder.feed(part)
    except AttemptError as error:
        return error.failure
    return decoder.close()


def reply(body: bytes, content_type: str = "text/event-stream") -> Reply:
    """The reply that a body amounts to."""
    outcome = decoded([body], content_type)
    assert isinstance(outcome, Reply), outcome
    return outcome


def failure(body: bytes, content_type: str = "text/event-stream") -> Failure:
    """The failure that a body amounts to."""
    outcome = decoded([body], content_type)
    assert isinstance(outcome, Failure), outcome
    return outcome
