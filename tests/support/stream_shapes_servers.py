"""Streams of OpenAI and of self-hosted servers, with their contents."""

from __future__ import annotations

from tests.support.stream_events import (
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
        "openai",
        (
            ROLE,
            *pieces(TEXT),
            STOP,
            Sent(usage_chunk(completion_tokens_details={"reasoning_tokens": 0})),
            DONE,
        ),
        text=TEXT,
    ),
    Shape(
        "openai, length",
        (ROLE, *pieces(SHORT), Sent(chunk({}, "length")), DONE),
        verdict="length",
        text=SHORT,
    ),
    Shape(
        "openai, refusal",
        (
            Sent(chunk({"role": "assistant", "refusal": ""})),
            Sent(chunk({"refusal": "I can't "})),
            Sent(chunk({"refusal": "help."})),
            STOP,
            DONE,
        ),
        refusal="I can't help.",
    ),
    Shape(
        "openai, tool calls",
        (
            Sent(
                chunk(
                    {"role": "assistant", "content": None, "tool_calls": [call(0, "", "weather", "call_1")]}
                )
            ),
            Sent(chunk({"tool_calls": [call(0, '{"ci')]})),
            Sent(chunk({"tool_calls": [call(0, 'ty":"Oslo"}')]})),
            Sent(chunk({"tool_calls": [call(1, "", "time", "call_2")]})),
            Sent(chunk({"tool_calls": [call(1, "{}")]})),
            Sent(chunk({}, "tool_calls")),
            DONE,
        ),
        calls=(WEATHER, TIME),
    ),
    Shape(
        "vllm",
        (
            ROLE,
            *(Sent(chunk({"content": word}, logprobs=None, stop_reason=None)) for word in words(TEXT)),
            Sent(chunk({"content": ""}, "stop", stop_reason=None)),
            Sent(usage_chunk()),
            DONE,
        ),
        text=TEXT,
    ),
    Shape(
        "vllm, reasoning",
        (
            ROLE,
            Sent(chunk({"reasoning_content": "Let me"})),
            Sent(chunk({"reasoning_content": " think."})),
            *pieces(SHORT),
            Sent(chunk({"content": ""}, "stop")),
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "llama.cpp",
        (
            ROLE,
            *pieces(TEXT),
            Sent(chunk({}, "stop", timings={"prompt_n": 3, "predicted_ms": 7.5})),
            Sent(usage_chunk()),
            DONE,
        ),
        text=TEXT,
    ),
    Shape(
        "llama.cpp, think template",
        (ROLE, *pieces("The user asks.\nI answer.\n</think>\n\n" + SHORT), STOP, DONE),
        text=SHORT,
    ),
    Shape(
        "ollama",
        (
            *(Sent(chunk({"role": "assistant", "content": word})) for word in words(SHORT)),
            Sent(chunk({"role": "assistant", "content": ""}, "stop")),
            DONE,
        ),
        text=SHORT,
    ),
    Shape(
        "ollama, tool calls",
        (
            Sent(
                chunk(
                    {
                        "role": "assistant",
                        "content": "",
                        "tool_calls": [call(0, '{"city":"Oslo"}', "weather", "call_1")],
                    }
                )
            ),
            Sent(
                chunk({"role": "assistant", "content": "", "tool_calls": [call(0, "{}", "time", "call_2")]})
            ),
            Sent(chunk({"role": "assistant", "content": ""}, "tool_calls")),
            DONE,
        ),
        calls=(WEATHER, TIME),
    ),
    Shape("ollama, think tags", (*pieces("<think>\nHm.\n</think>\n\n" + SHORT), STOP, DONE), text=SHORT),
    Shape(
        "lm studio",
        (
            Sent(chunk({"role": "assistant", "content": words(SHORT)[0]})),
            *pieces(SHORT[len(words(SHORT)[0]) :]),
            Sent(chunk({}, "stop", system_fingerprint="m")),
            DONE,
        ),
        text=SHORT,
    ),
]
