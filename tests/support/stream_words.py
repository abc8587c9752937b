"""Building blocks of damage to streams: finish reasons, errors, names, values of wrong types, raw lines."""

from __future__ import annotations

from typing import Any

from tests.support.reference_reasons import BROKEN_OFF, COMPLETE, FILTERED, LENGTH

REASONS: tuple[Any, ...] = (
    *COMPLETE,
    *LENGTH,
    *FILTERED,
    *BROKEN_OFF,
    *("STOP", "Length", "MAX_TOKENS", "SAFETY", "Error", "CONTENT_FILTER", "ABORT"),
    *(
        "done",
        "finished",
        "unknown",
        "OTHER",
        "stopp",
        "stop ",
        "FINISH_REASON_UNSPECIFIED",
        "ok",
        "ERROR_TOXIC",
    ),
    *("", "null", None, 7, True, [], {"type": "stop"}),
)

_DETAIL = {"message": "The server had an error", "type": "server_error", "code": 500}
ERRORS: list[tuple[str, Any]] = [
    ("data", {"error": _DETAIL}),
    ("data", {"error": "overloaded"}),
    ("data", {"error": True}),
    ("data", {"error": ["a"]}),
    ("data", {"error": {"code": 400, "type": "invalid_request_error"}, "choices": []}),
    ("data", {"error": {}, "choices": []}),
    ("data", {"error": None}),
    ("data", {"object": "error", **_DETAIL}),
    ("data", {"object": "error", "message": "EngineCore encountered an issue"}),
    ("data", {"data": {"error": _DETAIL}}),
    ("data", {"x_groq": {"id": "req_1", "error": "over capacity"}}),
    ("data", {"code": 500, "message": "Internal error"}),
    ("data", {"status": "503", "message": "busy"}),
    ("data", {"status": 200, "message": "fine"}),
    ("data", {"errors": [{"message": "no"}]}),
    ("data", [{"error": _DETAIL}]),
    (
        "choice",
        {"error": {"code": 502, "message": "Upstream provider disconnected"}, "finish_reason": "error"},
    ),
    ("choice", {"error": {"code": 502, "message": "Upstream provider disconnected"}}),
    ("choice", {"error": "no", "finish_reason": "stop"}),
    ("event", _DETAIL),
    ("event", {"message": "The model has crashed"}),
    ("event", {"error": _DETAIL}),
    ("event", None),
    ("event", {}),
    ("event", "crashed"),
    ("event", "[DONE]"),
    ("field", _DETAIL),
    ("field", "crashed"),
]

NAMES = ("error", "Error", "message", "ping", "completion", "done", "delta", "")

WRONG: tuple[Any, ...] = (42, 0, 1.5, True, False, "", "no", [], ["a"], [7], {}, {"a": 1}, {"text": "a"})

RAW = (
    ": ping",
    ":",
    "event: ping\ndata: {}",
    "id: 7\nretry: 10",
    "data",
    "data:",
    "data: ",
    "datum: x",
    "event: error",
    "event: error\ndata: crashed",
    "event: error\ndata:",
    "error",
    "error:",
    "error: crashed",
    "data: {",
    "data: hello",
    "data: {}{}",
    "data: {'a': 1}",
    "data: [done]",
    "data: [DONE] ",
    "data: [DONE]\ndata: ",
    'data: {"choices":\ndata: []}',
    "data: null",
    '{"choices": []}',
    "DATA: {}",
    " data: {}",
    "<html>",
    "[DONE]",
    'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}',
    'data: {"choices":[{"delta":{"content":"\\ude00"}}]}',
    'data: {"choices":[{"delta":{"content":"a"},"delta":{"content":"b"}}]}',
    "\ufeffdata: {}",
)

JUNK: list[tuple[str, Any]] = [
    ("error", None),
    ("x", "y"),
    ("provider", "P"),
    ("obfuscation", "aaaa"),
    ("logprobs", {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]}),
    ("reasoning_details", []),
    ("annotations", [{"type": "url_citation", "url": "http://x"}]),
    ("stop_reason", 128009),
    ("native_finish_reason", "error"),
    ("content_filter_results", {}),
    ("text", "beside"),
    ("content", "beside"),
    ("message", None),
    ("delta", None),
    ("deep", [[[[[[[[[[{"a": 1}]]]]]]]]]]),
    ("big", 10**30),
    ("status", "in_progress"),
    ("code", None),
    ("detail", None),
    ("role", "assistant"),
    ("function_call", None),
    ("refusal", None),
    ("tool_calls", []),
    ("tool_calls", None),
    ("reasoning", ""),
]
