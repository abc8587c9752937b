"""Requests: names, URLs, headers and bodies of both dialects."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from batch.errors import ModelNotFoundError
from batch.records import Failure
from batch.wire.dialects import autonomous, openai

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie heißt »é𝄞«?"}]


def sent(
    params: dict[str, Any] | None = None, *, model: str = "llama", stream: bool = True
) -> dict[str, Any]:
    """The body of an AutonomousAI request, decoded."""
    encoded = autonomous.encode(model, MESSAGES, params or {}, thread_id="t-1", stream=stream)
    body: dict[str, Any] = json.loads(encoded)
    return body


# AutonomousAI


@pytest.mark.parametrize(
    ("name", "model", "path"),
    [
        ("", "llama", "/api/v1/ai/chat"),
        ("llama", "llama", "/api/v1/ai/chat"),
        ("qwen_coder", "qwen_coder", "/api/v1/ai/chat"),
        ("hermes", "hermes", "/api/v1/ai/chat-hermes"),
        ("vision", "vision", "/api/v1/ai/chat-vision"),
        ("summary", "summary", "/api/v1/ai/summary"),
        ("llama-3.3-70b", "llama", "/api/v1/ai/chat"),
        ("qwen-2.5-coder-32b", "qwen_coder", "/api/v1/ai/chat"),
        ("hermes-3", "hermes", "/api/v1/ai/chat-hermes"),
        ("llama-3.2-90b", "vision", "/api/v1/ai/chat-vision"),
        ("llama-3.2-70b", "summary", "/api/v1/ai/summary"),
    ],
)
def test_a_name_or_an_alias_leads_to_a_model_and_its_path(name: str, model: str, path: str) -> None:
    assert autonomous.canonical(name) == model
    assert autonomous.url(autonomous.ORIGIN, model) == "https://chatgpt.autonomous.ai" + path
    assert autonomous.url("http://127.0.0.1:8000/", model) == "http://127.0.0.1:8000" + path


@pytest.mark.parametrize("name", ["gpt-4", "LLAMA", " llama", "llama-3.3-70b "])
def test_the_error_for_an_unknown_model_lists_the_models(name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        autonomous.canonical(name)
    assert all(known in str(caught.value) for known in ("qwen_coder", "llama-3.2-90b", repr(name)))


def test_the_messages_are_sent_as_base64_of_their_json() -> None:
    encoded = sent()["messages"]
    assert json.loads(base64.b64decode(encoded, validate=True)) == MESSAGES
    assert b"\\u00e9\\ud834\\udd1e" in base64.b64decode(encoded), "ASCII, as the original client sends"


def test_base64_is_the_standard_one() -> None:
    body = autonomous.encode("llama", [{"content": "?>?>~~\xff"}], {}, thread_id="t", stream=True)
    encoded = json.loads(body)["messages"]
    assert set(encoded) & set("-_") == set()
    assert len(encoded) % 4 == 0


@pytest.mark.parametrize("model", autonomous.MODELS)
@pytest.mark.parametrize("stream", [True, False])
def test_the_body_has_the_protocol_s_fields(model: str, stream: bool) -> None:
    body = sent(model=model, stream=stream)
    assert list(body) == ["messages", "threadId", "stream", "aiAgent"]
    assert (body["threadId"], body["stream"], body["aiAgent"]) == ("t-1", stream, model)


def test_sampling_parameters_are_top_level_fields() -> None:
    body = sent({"temperature": 0, "max_tokens": 9, "stop": ["x"], "top_p": None})
    assert (body["temperature"], body["max_tokens"], body["stop"], body["top_p"]) == (0, 9, ["x"], None)


def test_no_parameter_replaces_a_field() -> None:
    params = {"messages": "x", "threadId": "x", "stream": False, "aiAgent": "x"}
    assert sent(params) == sent()


def test_the_headers_are_the_protocol_s_and_name_the_sender() -> None:
    assert autonomous.headers("promptjobs/9") == {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "accept-language": "en-US,en;q=0.9",
        "content-type": "application/json",
        "country-code": "US",
        "origin": "https://www.autonomous.ai",
        "referer": "https://www.autonomous.ai/",
        "time-zone": "UTC",
        "user-agent": "promptjobs/9",
    }


# OpenAI


@pytest.mark.parametrize("base_url", ["http://h/v1", "http://h/v1/", "http://h/v1//"])
def test_completions_are_requested_below_the_base_url(base_url: str) -> None:
    assert openai.url(base_url) == "http://h/v1/chat/completions"


def test_the_query_of_the_base_url_stays_at_the_end() -> None:
    azure = "https://h/openai/deployments/m"
    assert openai.url(f"{azure}?api-version=1&x=/") == f"{azure}/chat/completions?api-version=1&x=/"
    assert openai.url(f"{azure}/?api-version=1") == f"{azure}/chat/completions?api-version=1"
    assert autonomous.url("https://h/?x=1", "llama") == "https://h/api/v1/ai/chat?x=1"


def test_the_body_streams_and_asks_for_the_usage() -> None:
    body = json.loads(openai.encode("m/é", MESSAGES, {}))
    assert body == {
        "model": "m/é",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_usage_can_be_omitted_from_the_request() -> None:
    assert "stream_options" not in json.loads(openai.encode("m", MESSAGES, {}, with_optional=False))


PARAMS: dict[str, Any] = {
    "temperature": 0.2,
    "top_p": 1,
    "max_tokens": 5,
    "max_completion_tokens": 6,
    "seed": 2**70,
    "stop": ["\n"],
    "n": 1,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "logit_bias": {"50256": -100},
}


def test_parameters_are_passed_through_untouched() -> None:
    body = json.loads(openai.encode("m", MESSAGES, PARAMS))
    assert {key: body[key] for key in PARAMS} == PARAMS


def test_extra_body_is_merged_into_the_top_level() -> None:
    body = json.loads(openai.encode("m", MESSAGES, {"extra_body": {"top_k": 3}, "temperature": 0}))
    assert (body["top_k"], body["temperature"]) == (3, 0)
    assert "extra_body" not in body


def test_nothing_turns_streaming_off() -> None:
    for params in ({"stream": False}, {"extra_body": {"stream": False}}):
        assert json.loads(openai.encode("m", MESSAGES, params))["stream"] is True


def test_the_headers_carry_no_key_of_their_own() -> None:
    assert openai.headers("promptjobs/9") == {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": "promptjobs/9",
    }


@pytest.mark.parametrize(
    ("failure", "refuses"),
    [
        (Failure("bad_request", "HTTP 400: unknown field stream_options", http_status=400), True),
        (Failure("bad_request", "HTTP 422: stream_options: extra fields", http_status=422), True),
        (Failure("bad_request", "HTTP 400: unknown field seed", http_status=400), False),
        (Failure("http_500", "HTTP 500: stream_options", http_status=500), False),
        (Failure("api_error", "stream_options"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_server_that_refuses_stream_options_names_them(failure: Failure, refuses: bool) -> None:
    assert openai.refuses_optional(failure, stream=True) is refuses
