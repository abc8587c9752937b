"""The OpenAI dialect: chat completions as vLLM, llama.cpp, Ollama, gateways and OpenAI speak them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure, JSONObject


def url(base_url: str) -> str:
    """Where chat completions are asked for. The query of the base URL stays at the end."""
    address, mark, query = base_url.partition("?")
    return address.rstrip("/") + "/chat/completions" + mark + query


RESERVED = frozenset({"model", "messages", "stream", "stream_options"})
"""Keys of a body that neither parameters nor ``extra_body`` may replace."""


def headers(user_agent: str, *, stream: bool = True) -> dict[str, str]:
    """The headers of every request, before the key and those that the job file sets."""
    return {
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": user_agent,
    }


def encode(
    model: str,
    messages: Sequence[JSONObject],
    params: Mapping[str, object],
    *,
    stream: bool = True,
    ask_usage: bool = True,
) -> bytes:
    """The JSON body of one request.

    Parameters are passed through untouched; ``extra_body``, as the SDKs know it, is merged into the top
    level. Neither replaces what is ``RESERVED``. ``ask_usage`` asks for the usage chunk of a stream, which
    some servers refuse.
    """
    body: dict[str, object] = {"model": model, "messages": list(messages), "stream": stream}
    if stream and ask_usage:
        body["stream_options"] = {"include_usage": True}
    if params:
        extra = params.get("extra_body")
        body.update((key, value) for key, value in params.items() if key not in _NOT_PARAMETERS)
        if isinstance(extra, dict):
            body.update((key, value) for key, value in extra.items() if key not in RESERVED)
    return msgspec.json.encode(body)


_NOT_PARAMETERS = RESERVED | {"extra_body"}


def refuses_usage(failure: Failure) -> bool:
    """Whether the server refused the request because of ``stream_options``.

    Servers have no common code for an unknown field; the one thing they share is that the message names it.
    """
    return failure.http_status in (400, 422) and "stream_options" in failure.message
