"""Streams of gateways and hosted models, with their contents."""

from __future__ import annotations

from tests.support.stream_events import (
    COMMENT,
    DONE,
    ROLE,
    SHORT,
    STOP,
    TEXT,
    TIME,
    WEATHER,
    Sent,
    Shape,
    call,
    chunk,
    pieces,
    usage_chunk,
    words,
)

SHAPES = [
    Shape(
        "openrouter",
        (
            COMMENT,
            COMMENT,
            *(Sent(chunk({"role": "assistant", "content": word}, provider="P")) for word in words(TEXT)),
            Sent(chunk({"role": "assistant", "content": ""}, "stop", provider="P")),
            Sent(
                chunk(
                    {"role": "assistant", "content": ""},
                    None,
                    provider="P",
                    usage={"prompt_tokens": 1, "cost": 0.00014},
                )
            ),
            DONE,
        ),
        text=TEXT,
    ),
    Shape(
        "openrouter, reasoning",
        (
            COMMENT,
            Sent(
                chunk(
                    {
                        "role": "assistant",
                        "content": "",
                        "reasoning": "Hm.",
                        "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
                    }
                )
            ),
            *pieces(SHORT),
            STOP,
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "gemini gateway",
        (
            Sent(chunk({"role": "assistant", "content": SHORT[:5]})),
            Sent(chunk({"role": "assistant", "content": SHORT[5:]}, "STOP")),
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "gemini gateway, MAX_TOKENS",
        (Sent(chunk({"content": SHORT}, "MAX_TOKENS")), DONE),
        verdict="length",
        text=SHORT,
    ),
    Shape(
        "a stop with every chunk",
        (*(Sent(chunk({"content": word}, "stop")) for word in words(SHORT)), Sent(usage_chunk()), DONE),
        text=SHORT,
    ),
    Shape(
        "a stop after the reasoning",
        (Sent(chunk({"reasoning_content": "Hm."}, "stop")), *pieces(SHORT), STOP, DONE),
        text=SHORT,
    ),
    Shape(
        "mistral",
        (
            Sent(
                chunk(
                    {
                        "role": "assistant",
                        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}],
                    }
                )
            ),
            Sent(
                chunk(
                    {
                        "content": [
                            {"type": "text", "text": "Oslo "},
                            {"type": "reference", "reference_ids": [1]},
                        ]
                    }
                )
            ),
            Sent(chunk({"content": "is cold."})),
            Sent(
                chunk(
                    {"content": ""},
                    "stop",
                    usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
                )
            ),
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "mistral, model_length",
        (*pieces(SHORT), Sent(chunk({"content": ""}, "model_length")), DONE),
        verdict="length",
        text=SHORT,
    ),
    Shape(
        "mistral, tool calls",
        (
            Sent(
                chunk(
                    {
                        "content": "",
                        "tool_calls": [
                            call(None, '{"city":"Oslo"}', "weather", "call_1"),
                            call(None, {}, "time", "call_2"),
                        ],
                    },
                    "tool_calls",
                )
            ),
            DONE,
        ),
        calls=(WEATHER, TIME),
    ),
    Shape(
        "deepseek, reasoning",
        (
            Sent(chunk({"role": "assistant", "content": None, "reasoning_content": ""})),
            Sent(chunk({"content": None, "reasoning_content": "Hm."})),
            *(Sent(chunk({"content": word, "reasoning_content": None})) for word in words(TEXT)),
            Sent(
                chunk(
                    {"content": "", "reasoning_content": None},
                    "stop",
                    usage={
                        "prompt_tokens": 3,
                        "completion_tokens": 9,
                        "total_tokens": 12,
                        "prompt_cache_hit_tokens": 0,
                    },
                )
            ),
            DONE,
        ),
        text=TEXT,
    ),
    Shape(
        "groq",
        (
            Sent(chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"})),
            *pieces(SHORT),
            Sent(chunk({}, "stop", x_groq={"id": "req_1", "usage": {"prompt_tokens": 3}})),
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "azure",
        (
            Sent(
                {
                    "id": "",
                    "object": "",
                    "model": "",
                    "choices": [],
                    "prompt_filter_results": [
                        {
                            "prompt_index": 0,
                            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
                        }
                    ],
                }
            ),
            ROLE,
            *(
                Sent(
                    {
                        "choices": [
                            {
                                "index": 0,
                                "delta": {"content": word},
                                "finish_reason": None,
                                "content_filter_results": {
                                    "error": {
                                        "code": "content_filter_error",
                                        "message": "The contents are not filtered",
                                    }
                                },
                            }
                        ]
                    }
                )
                for word in words(SHORT)
            ),
            STOP,
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "azure, filtered", (ROLE, *pieces(SHORT), Sent(chunk({}, "content_filter")), DONE), verdict="failed"
    ),
]
