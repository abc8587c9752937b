"""What the message of a failure says about its request, and which hint it gives."""

from __future__ import annotations

import pytest

from batch.failure_codes import FAILURE_CODES
from batch.providers.credentials import Credentials
from batch.providers.failure_messages import (
    MAX_URL,
    SentRequest,
    hint_for,
    lacks_version,
    message_with_request,
    url_for_display,
)
from batch.records import Failure

SENT = SentRequest("http://h/v1/chat/completions", "m")
NO_KEY = SentRequest("http://h/v1/chat/completions", "m", has_key=False)
NO_VERSION = SentRequest("http://h/chat/completions", "m", lacks_version=True)
PROXIED = SentRequest("http://h/v1/chat/completions", "m", is_proxied=True)
PROVEN = SentRequest("http://h/chat/completions", "m", lacks_version=True, has_worked=True)
ENCRYPTED = SentRequest("https://h/v1/chat/completions", "m")

KEY_HINT = "No key was sent, because the job names none; set `api_key_env`."
VERSION_HINT = 'Does `base_url` lack "/v1"?'
UP_HINT = "Is the server running, and is `base_url` right?"
TLS_HINT = "Does the server speak https? Then write `https://` in `base_url`."
GONE_HINT = 'Does the server still have a model "m"?'
MODEL_HINT = 'Check `model` ("m").'


@pytest.mark.parametrize(
    ("failure", "sent", "hint"),
    [
        (Failure("auth", "", 401), NO_KEY, KEY_HINT),
        (Failure("auth", "", 401), SENT, "Check the job's key."),
        (Failure("forbidden", "", 403), NO_KEY, KEY_HINT),
        (Failure("forbidden", "", 403), SENT, ""),
        (Failure("bad_request", "", 404), NO_VERSION, VERSION_HINT),
        (Failure("bad_request", "", 405), NO_VERSION, VERSION_HINT),
        (Failure("not_sse", ""), NO_VERSION, VERSION_HINT),
        (Failure("bad_request", "", 404, server_code="model_not_found"), NO_VERSION, MODEL_HINT),
        (Failure("bad_request", "", 400, server_code="model_not_found"), SENT, MODEL_HINT),
        (
            Failure("bad_request", "", 404),
            SENT,
            'Check `base_url`, and whether the server has a model "m".',
        ),
        (Failure("bad_request", "", 405), SENT, "Check `base_url`."),
        (Failure("not_sse", ""), SENT, "Check `base_url`."),
        (
            Failure("redirect", "", 301),
            NO_VERSION,
            "Redirects are not followed; set `base_url` to the final address.",
        ),
        (Failure("connect", ""), NO_VERSION, UP_HINT),
        (Failure("connect", ""), PROXIED, ""),
        (Failure("bad_request", "404 Not Found: does base_url lack /v1?", 400), NO_VERSION, ""),
        (Failure("http_500", "model_not_found", 500), NO_VERSION, ""),
        (Failure("http_429", "", 429), NO_KEY, ""),
        (Failure("truncated", ""), NO_VERSION, ""),
        (Failure("truncated", "", foreign=True), NO_VERSION, TLS_HINT),
        (Failure("protocol", "", foreign=True), SENT, TLS_HINT),
        (Failure("bad_request", "", 400, foreign=True), SENT, TLS_HINT),
        (Failure("bad_request", "", 400), SENT, ""),
        (Failure("truncated", "", foreign=True), ENCRYPTED, ""),
        (Failure("truncated", "", foreign=True), PROXIED, ""),
        (Failure("truncated", "", foreign=True), PROVEN, ""),
        (Failure("bad_request", "", 404), PROVEN, GONE_HINT),
        (Failure("bad_request", "", 405), PROVEN, ""),
        (Failure("not_sse", ""), PROVEN, ""),
    ],
)
def test_codes_statuses_and_the_job_decide_the_hint(failure: Failure, sent: SentRequest, hint: str) -> None:
    assert hint_for(failure, sent) == hint


def unchanged(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            Failure("http_500", "500 Internal Server Error: oops", 500),
            "POST http://h/v1/chat/completions returned 500 Internal Server Error: oops",
        ),
        (
            Failure("truncated", "the connection was lost"),
            "POST http://h/v1/chat/completions: the connection was lost",
        ),
        (
            Failure("auth", "401 Unauthorized: no.", 401),
            "POST http://h/v1/chat/completions returned 401 Unauthorized: no. Check the job's key.",
        ),
        (
            Failure("connect", "cannot connect"),
            f"POST http://h/v1/chat/completions: cannot connect. {UP_HINT}",
        ),
    ],
)
def test_the_message_names_the_request(failure: Failure, message: str) -> None:
    assert message_with_request(failure, SENT, unchanged) == message


@pytest.mark.parametrize(
    "code",
    ["fd_limit", "local_model", "internal_error", "empty_length", "length", "filtered", "unknown_finish"],
)
def test_a_request_that_is_not_at_fault_is_not_named(code: str) -> None:
    failure = Failure(code, "it happened")
    assert message_with_request(failure, SENT, unchanged) == "it happened"


@pytest.mark.parametrize("code", FAILURE_CODES)
def test_what_happened_stays_in_the_message(code: str) -> None:
    assert "it happened" in message_with_request(Failure(code, "it happened", 404), NO_VERSION, unchanged)


def test_secrets_are_removed_from_the_address_and_the_model() -> None:
    key = "sk-0123456789abcdef"
    sent = SentRequest(f"http://h/{key}/chat/completions", key)
    failure = Failure("bad_request", "404 Not Found", 404)
    assert message_with_request(failure, sent, Credentials(key).clean) == (
        "POST http://h/…/chat/completions returned 404 Not Found. "
        'Check `base_url`, and whether the server has a model "…".'
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("https://[::1]:8000/v1", "https://[::1]:8000/v1"),
        ("http://me:secret@h:1/v1", "http://h:1/v1"),
        ("http://me@h", "http://h"),
        ("http://a@b@h/x@y", "http://h/x@y"),
        ("http://h/v1?api-version=2024&key=secret", "http://h/v1?api-version=…&key=…"),
        ("http://h/v1?secret", "http://h/v1"),
        ("http://h/v1?=secret&a=", "http://h/v1?a=…"),
        ("http://h/v1?se/cr?et=1&a=b=c", "http://h/v1?a=…"),
        ("http://h?key=a@b/c", "http://h?key=…"),
        ("http://h/v1#secret", "http://h/v1"),
        ("http://${HOST}:${PORT}/v1", "http://${HOST}:${PORT}/v1"),
        ("http://${USER}:${PASSWORD}@h/v1", "http://h/v1"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_user_info_and_values(url: str, shown: str) -> None:
    assert url_for_display(url) == shown


def test_a_long_url_is_cut() -> None:
    assert url_for_display("http://h/" + "x" * 1000) == "http://h/" + "x" * (MAX_URL - 9) + "…"


@pytest.mark.parametrize(
    ("base_url", "usual", "lacks"),
    [
        ("http://h", "/v1", True),
        ("http://h/", "/v1", True),
        ("http://h/api", "/v1", True),
        ("http://v1.h", "/v1", True),
        ("http://h/?a=/v1", "/v1", True),
        ("http://h/v1", "/v1", False),
        ("http://h/v1/", "/v1", False),
        ("http://h/v1beta/openai", "/v1", False),
        ("http://h/api/paas/v4", "/v1", False),
        ("http://h/vllm", "/v1", True),
        ("http://h", "", False),
        ("http://h", None, False),
    ],
)
def test_a_version_in_the_path(base_url: str, usual: str | None, lacks: bool) -> None:
    assert lacks_version(base_url, usual) is lacks
