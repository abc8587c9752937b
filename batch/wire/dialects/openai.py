"""The OpenAI dialect: chat completions of vLLM, llama.cpp, Ollama, gateways and OpenAI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batch.wire.dialects.bearer import bearer_headers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch.records import Failure, JSONObject

NAME = "openai"
MODELS: Collection[str] | None = None
ALIASES: Mapping[str, str] = {}
DEFAULT_URL: str | None = None
URL_HINT = "for OpenAI itself write `https://api.openai.com/v1`"
EMBEDDED_PATH = "/v1"
MODELS_PATH: str | None = "/models"
HAS_LISTED_PRICES = True

RESERVED = frozenset({"model", "messages", "stream", "stream_options"})
"""Keys of a body that neither parameters nor ``extra_body`` may replace."""

_NOT_PARAMETERS = RESERVED | {"extra_body"}


def canonical(name: str) -> str:
    """Return the name unchanged: each server has models of its own."""
    return name


def url(base_url: str, model: str = "") -> str:  # noqa: ARG001 - the body names the model
    """Return the URL for chat completions. The query of the base URL stays at the end."""
    address, mark, query = base_url.partition("?")
    return address.rstrip("/") + "/chat/completions" + mark + query


def headers(user_agent: str, *, stream: bool = True) -> dict[str, str]:
    """Return the headers of every request, without the key and the headers of the job file."""
    return {
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": user_agent,
    }


key_headers = bearer_headers


def encode(
    model: str,
    messages: Sequence[JSONObject],
    params: Mapping[str, object],
    *,
    thread_id: str = "",  # noqa: ARG001 - no server of this dialect keeps a conversation
    stream: bool = True,
    with_optional: bool = True,
) -> bytes:
    """Return the JSON body of one request.

    Parameters are passed through unchanged; ``extra_body``, as in the SDKs, is merged into the top level.
    Neither replaces what is ``RESERVED``. ``with_optional`` requests the usage chunk of a stream, which some
    servers reject.
    """
    body: dict[str, object] = {"model": model, "messages": list(messages), "stream": stream}
    if stream and with_optional:
        body["stream_options"] = {"include_usage": True}
    if params:
        extra = params.get("extra_body")
        body.update((key, value) for key, value in params.items() if key not in _NOT_PARAMETERS)
        if isinstance(extra, dict):
            body.update((key, value) for key, value in extra.items() if key not in RESERVED)
    return msgspec.json.encode(body)


def refuses_optional(failure: Failure, *, stream: bool = True) -> bool:
    """Whether the server rejected the request because of ``stream_options``.

    Servers have no common code for an unknown field; they only have in common that the message names it.
    """
    return stream and failure.http_status in (400, 422) and "stream_options" in failure.message
