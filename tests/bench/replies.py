"""The replies that are served: events that vary as real ones do, the same bytes for every client.

Ids, key order, white space, escapes and scripts change from event to event, so that no client gains from
sameness. What a peer would misread is left out (U+2028, ``data: `` inside the text): this suite is about
speed, and a peer that loses text gives no figure.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

WORDS = (
    "the tide turns and the harbour fills while lamps along the quay are lit one by one for boats that "
    "come home late naïve café Zürich œuvre coöperate Ελλάδα море 海岸 灯台 שלום été 🚢 🌊 "
    "quoted back\\slash tab\t"
).split(" ")
ENDS = (" ", " ", " ", ", ", ". ", ".\n", '" ', " — ")


@dataclass(frozen=True, slots=True)
class Served:
    """One reply: the bytes of its event stream, and the text that a client must make of them."""

    body: bytes
    text: str
    events: int


def reply(events: int, seed: int = 1) -> Served:
    """A reply of so many events of about 200 bytes: the last one finishes, ``[DONE]`` is not counted."""
    source = random.Random(seed)
    parts = [_words(source) for _ in range(events - 1)]
    blocks = [_event(source, {"content": part}, None) for part in parts]
    blocks.append(_event(source, {}, "stop"))
    return Served(b"".join([*blocks, b"data: [DONE]\n\n"]), "".join(parts), events)


def _words(source: random.Random) -> str:
    return "".join(source.choice(WORDS) + source.choice(ENDS) for _ in range(source.randint(1, 3)))


def _event(source: random.Random, delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = _shuffled(source, {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None})
    chunk = _shuffled(
        source,
        {
            "id": f"chatcmpl-{source.getrandbits(64):016x}",
            "object": "chat.completion.chunk",
            "created": 1_760_000_000 + source.randrange(10_000_000),
            "model": "summary",
            "choices": [choice],
        },
    )
    separators = source.choice([(",", ":"), (", ", ": ")])
    line = json.dumps(chunk, ensure_ascii=source.random() < 0.5, separators=separators)
    return b"data: " + line.encode() + b"\n\n"


def _shuffled(source: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    keys = list(value)
    source.shuffle(keys)
    return {key: value[key] for key in keys}
