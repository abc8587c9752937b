"""Short answers in the shapes of real servers, with their contents.

The envelopes are those of the servers that a shape is named after: which fields they add, what stands in the
first and in the last event, where the usage comes, and whether they send ``[DONE]``.
"""

from __future__ import annotations

import json

from tests.support import stream_shapes_gateways, stream_shapes_servers
from tests.support.stream_events import (
    CODE,
    DONE,
    SHORT,
    STOP,
    TEXT,
    TIME,
    WEATHER,
    Sent,
    Shape,
    bare,
    call,
    chunk,
    completion,
    pieces,
    words,
)

STREAMS = [
    *stream_shapes_servers.SHAPES,
    *stream_shapes_gateways.SHAPES,
    Shape("autonomous", (*pieces(TEXT, bare), Sent(bare({}, "stop")), DONE), text=TEXT),
    Shape(
        "autonomous, finish at the top",
        (*pieces(SHORT, bare), Sent({"finish_reason": "stop"}), DONE),
        text=SHORT,
    ),
    Shape("autonomous, only [DONE]", (*pieces(SHORT, bare), DONE), verdict="unverified", text=SHORT),
    Shape("no [DONE]", (*pieces(SHORT), STOP), text=SHORT),
    Shape("cut", tuple(pieces(TEXT)), verdict="failed"),
    Shape(
        "a whole message after the deltas",
        (
            *pieces(SHORT),
            Sent(
                {
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": SHORT},
                            "finish_reason": "stop",
                        }
                    ]
                }
            ),
            DONE,
        ),
        text=SHORT,
    ),
    Shape("a whole message in a stream", (Sent(completion({"content": SHORT})), DONE), text=SHORT),
    Shape(
        "two choices",
        (
            *(
                Sent({"choices": [{"index": i, "delta": {"content": word}} for i in (0, 1)]})
                for word in words(SHORT)
            ),
            Sent({"choices": [{"index": i, "delta": {}, "finish_reason": "stop"} for i in (1, 0)]}),
            DONE,
        ),
        text=SHORT,
    ),
    Shape("a code block", (*pieces(CODE), STOP, DONE), text=CODE),
    Shape(
        "reasoning alone",
        (Sent(chunk({"reasoning_content": "Hm. " * 5})), Sent(chunk({}, "length")), DONE),
        verdict="failed",
    ),
    Shape(
        "an error",
        (
            *pieces(SHORT),
            Sent({"error": {"message": "Overloaded", "type": "overloaded_error", "code": 529}}),
            DONE,
        ),
        verdict="failed",
    ),
]

WHOLES = [
    Shape(
        "openai, whole",
        whole=completion({"content": TEXT, "refusal": None}, service_tier="default"),
        text=TEXT,
    ),
    Shape(
        "openai, tool calls, whole",
        whole=completion(
            {
                "content": None,
                "tool_calls": [
                    call(None, '{"city":"Oslo"}', "weather", "call_1"),
                    call(None, "{}", "time", "call_2"),
                ],
            },
            "tool_calls",
        ),
        calls=(WEATHER, TIME),
    ),
    Shape(
        "vllm, whole",
        whole=completion({"content": SHORT, "reasoning_content": "Hm.", "tool_calls": []}),
        text=SHORT,
    ),
    Shape("length, whole", whole=completion({"content": SHORT}, "length"), verdict="length", text=SHORT),
    Shape("refusal, whole", whole=completion({"content": None, "refusal": "I can't."}), refusal="I can't."),
    Shape(
        "autonomous, whole",
        whole={"choices": [{"message": {"content": SHORT}, "finish_reason": "stop"}]},
        text=SHORT,
    ),
    Shape("an error, whole", whole={"error": {"message": "no", "code": 502}}, verdict="failed"),
    Shape(
        "an error object, whole", whole={"object": "error", "message": "no", "code": 400}, verdict="failed"
    ),
    Shape("a detail, whole", whole={"detail": "Not ready"}, verdict="failed"),
]

SHAPES = [*STREAMS, *WHOLES]


def body(shape: Shape) -> bytes:
    """The whole body of a shape, as it is sent without damage."""
    if shape.whole is not None:
        return json.dumps(shape.whole).encode()
    return b"".join(sent.encode() + b"\n\n" for sent in shape.events)
