"""Any body at all, in any pieces: one outcome, and never a crash."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch.errors import AttemptError
from batch.records import Failure, Reply, Verdict
from batch.wire.reply import ReplyDecoder
from tests.reference_decoder import UnreadableError, text_of
from tests.wire_support import (
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
def test_fuzz_any_body_has_one_outcome_however_it_comes(parts: list[bytes], content_type: str) -> None:
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
def test_fuzz_a_break_never_makes_an_answer_out_of_less(parts: list[bytes]) -> None:
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


def test_fuzz_seeded_streams_with_damage_have_one_outcome_however_they_come() -> None:
    """Cheap cases, and so many: a million take a few minutes."""
    for seed in range(FUZZ.max_examples):
        chance = random.Random(seed)
        body = mutated(chance)
        cut = chance.randrange(len(body) + 1)
        outcome = decoded([body])
        assert repr(decoded([body[:cut], body[cut:]])) == repr(outcome), seed
        assert isinstance(outcome, Reply | Failure)


ODD_VALUES: list[Any] = [None, 0, 7, 1.5, True, False, "", "x", "0", "stop", "error"]
ODD_VALUES += [[], ["x"], {}, {"text": "x"}]
KEYS = ["content", "delta", "message", "finish_reason", "index", "choices", "text", "error", "model"]
FIELDS = [b"event: error\n", b"event: message\n", b"error: x\n", b"id: 1\n"]


def plain_stream(chance: random.Random) -> list[Any]:
    """The values of the events of a good stream, in one of the ways in which servers send them."""
    words = [chance.choice(["a", "b ", "é", "</", ""]) for _ in range(chance.choice([2, 5, 30]))]
    reason = chance.choice(["stop", "stop", "END_TURN", "length", "tool_calls"])
    ends_beside = chance.random() < 0.3
    values: list[Any] = []
    for place, word in enumerate(words):
        is_last = ends_beside and place == len(words) - 1
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": reason if is_last else None}
        values.append({"id": "c", "model": "m", "choices": [choice]})
    if not ends_beside:
        values.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if chance.random() < 0.3:
        whole_text = "".join(words)
        values.append(
            {"choices": [{"index": 0, "message": {"content": whole_text}, "finish_reason": reason}]}
        )
    if chance.random() < 0.5:
        values.append({"choices": [], "usage": USAGE})
    return values


def retyped(value: Any, chance: random.Random) -> Any:
    """The same with one value of another type, or one key of another name."""
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        if chance.random() < 0.4:
            return {**value, name: retyped(value[name], chance)}
        if chance.random() < 0.3:
            rest = {key: item for key, item in value.items() if key != name}
            return {**rest, chance.choice(KEYS): value[name]}
        return {**value, name: chance.choice(ODD_VALUES)}
    if isinstance(value, list) and value:
        return [retyped(value[0], chance), *value[1:]] if chance.random() < 0.8 else value * 2
    return chance.choice(ODD_VALUES)


def mutated_stream(chance: random.Random) -> bytes:
    """A stream with events dropped, doubled, moved, of other types or under other names."""
    events = [event(value) for value in plain_stream(chance)]
    if chance.random() < 0.8:
        events.append(DONE)
    for _ in range(chance.randrange(4)):
        if not events:
            break
        at, kind = chance.randrange(len(events)), chance.randrange(5)
        if kind == 0:
            del events[at]
        elif kind == 1:
            events.insert(at, events[at])
        elif kind == 2:
            events.insert(chance.randrange(len(events)), events.pop(at))
        elif kind == 3 and events[at].startswith(b"data: {"):
            events[at] = event(retyped(json.loads(events[at][6:]), chance))
        elif kind == 4:
            events[at] = chance.choice(FIELDS) + events[at]
    return b"".join(events)


def test_fuzz_seeded_no_complete_answer_differs_from_what_the_stream_says() -> None:
    """A second, slow decoder reads the same stream: where it cannot, there is no complete answer either."""
    for seed in range(FUZZ.max_examples):
        chance = random.Random(seed)
        body = mutated_stream(chance)
        cut = chance.randrange(len(body) + 1)
        outcome = decoded([body])
        assert repr(decoded([body[:cut], body[cut:]])) == repr(outcome), seed
        if not isinstance(outcome, Reply) or outcome.verdict is not Verdict.COMPLETE:
            continue
        try:
            expected = text_of(body)
        except UnreadableError as error:
            pytest.fail(f"seed {seed}: {error}: {body!r}")
        assert outcome.text == expected, seed
