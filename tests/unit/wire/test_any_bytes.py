"""Any body in any pieces: exactly one outcome, and never an exception."""

from __future__ import annotations

import json
import random

from hypothesis import example, given
from hypothesis import strategies as st

from batch.errors import AttemptError
from batch.records import Failure, Reply
from batch.wire.reply_decoder import ReplyDecoder
from tests.support.wire_support import (
    BOM,
    DONE,
    FUZZ,
    MESSAGE,
    USAGE,
    decoded,
    delta,
    event,
    finish,
    pieces,
)

TOKENS = [delta("a"), delta("é"), finish(), finish("length"), DONE, MESSAGE, BOM, b": ping\n", b"\n", b"\r\n"]
TOKENS += [
    b"data: ",
    b"data",
    b"{",
    b"}",
    b"[",
    b'"',
    b"<",
    b"\xff",
    b"\0",
    event({"error": "x"}),
    b"\\ud83d",
]
TOKENS += [delta(tool_calls=[{"index": 0, "function": {"arguments": "a"}}]), event({"usage": USAGE})]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(
        ["choices", "delta", "message", "content", "error", "usage", "finish_reason", "index", "tool_calls",
         "function", "arguments", "name", "id", "type", "code", "model", "text", "thinking", "prompt_tokens",
         "reasoning", "refusal"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
odd_events = values.map(lambda value: b"data: " + json.dumps(value).encode() + b"\n\n")
bodies = st.lists(st.sampled_from(TOKENS) | odd_events | st.binary(max_size=3), max_size=12).map(b"".join)


@FUZZ
@given(pieces(bodies), st.sampled_from(["", "text/event-stream", "application/json"]))
@example([b"\xef", b"\xbb\xbf\n", MESSAGE], "")
@example([b" \xef\xbb\xbf", MESSAGE], "")
def test_fuzz_any_body_has_one_outcome_for_any_split(parts: list[bytes], content_type: str) -> None:
    whole_body = b"".join(parts)
    outcome = decoded(parts, content_type)
    assert repr(outcome) == repr(decoded([whole_body], content_type))
    if isinstance(outcome, Reply):
        assert outcome.text or outcome.tool_calls or outcome.refusal or outcome.finish_reason == "length"
        outcome.text.encode()
    else:
        outcome.message.encode()


@FUZZ
@given(pieces(bodies))
def test_fuzz_a_broken_connection_never_makes_a_partial_answer_complete(parts: list[bytes]) -> None:
    decoder = ReplyDecoder("text/event-stream")
    try:
        for part in parts:
            decoder.feed(part)
    except AttemptError:
        return
    if isinstance(decoder.cut("truncated", "broke"), Reply):
        assert isinstance(decoded(parts), Reply)


def mutated(chance: random.Random) -> bytes:
    """A stream with a few bytes lost, doubled, flipped or moved."""
    body = bytearray(b"".join(chance.choices(TOKENS, k=chance.randrange(1, 12))))
    for _ in range(chance.randrange(6)):
        at = chance.randrange(len(body) + 1)
        to = min(len(body), at + chance.randrange(1, 20))
        body[at:to] = chance.choice(
            [b"", body[at:to] * 2, bytes([chance.randrange(256)]), chance.choice(TOKENS), b"\n\n"]
        )
    return bytes(body)


def test_fuzz_seeded_streams_with_damage_have_one_outcome_for_any_split() -> None:
    """The number of cheap cases: a million take a few minutes."""
    for seed in range(FUZZ.max_examples):
        chance = random.Random(seed)
        body = mutated(chance)
        cut = chance.randrange(len(body) + 1)
        outcome = decoded([body])
        assert repr(decoded([body[:cut], body[cut:]])) == repr(outcome), seed
        assert isinstance(outcome, Reply | Failure)
