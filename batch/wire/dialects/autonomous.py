"""The AutonomousAI dialect: its models, their paths, and the body of a request.

The messages are sent as standard base64 of their JSON. Only ``aiAgent`` distinguishes the two models that
share a path. Sampling parameters are not part of the known protocol: parameters of a job are sent as
additional top-level fields, for a server that supports them.
"""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import TYPE_CHECKING

from batch.codec import encode_json
from batch.wire.dialects.bearer import bearer_headers
from batch.wire.dialects.model_names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch.records import Failure, JSONObject

NAME = "autonomous"
HOME_PAGE = "https://www.autonomous.ai/anon/"
ORIGIN = "https://chatgpt.autonomous.ai"
SITE = "https://www.autonomous.ai"
DEFAULT_URL = ORIGIN
URL_HINT = ""
EMBEDDED_PATH = ""
MODELS_PATH: str | None = None
HAS_LISTED_PRICES = False
DEFAULT_MODEL = "llama"

MODELS = {
    "llama": "/api/v1/ai/chat",
    "qwen_coder": "/api/v1/ai/chat",
    "hermes": "/api/v1/ai/chat-hermes",
    "vision": "/api/v1/ai/chat-vision",
    "summary": "/api/v1/ai/summary",
}
"""Canonical model name → the path that serves it."""

ALIASES = {
    "llama-3.3-70b": "llama",
    "qwen-2.5-coder-32b": "qwen_coder",
    "hermes-3": "hermes",
    "llama-3.2-90b": "vision",
    "llama-3.2-70b": "summary",
}

_RESERVED = frozenset({"messages", "threadId", "stream", "aiAgent"})


def canonical(name: str) -> str:
    """Return the canonical name of a model or alias; the empty string is the default model.

    Raises ``ModelNotFoundError``, which lists the models.
    """
    return canonical_name(name, MODELS, ALIASES, DEFAULT_MODEL, "AutonomousAI")


def url(base_url: str, model: str) -> str:
    """Return the URL for requests to a canonical model. The query of the base URL stays at the end."""
    address, mark, query = base_url.partition("?")
    return address.rstrip("/") + MODELS[model] + mark + query


def headers(user_agent: str, *, stream: bool = True) -> dict[str, str]:
    """Return the headers of every request, without those of the job file."""
    return {
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        "accept-language": "en-US,en;q=0.9",
        "content-type": "application/json",
        "country-code": "US",
        "origin": SITE,
        "referer": SITE + "/",
        "time-zone": "UTC",
        "user-agent": user_agent,
    }


key_headers = bearer_headers


def encode(
    model: str,
    messages: Sequence[JSONObject],
    params: Mapping[str, object],
    *,
    thread_id: str,
    stream: bool,
    with_optional: bool = True,  # noqa: ARG001 - the protocol has no optional fields
) -> bytes:
    """Return the JSON body of one request to a canonical model.

    The messages are JSON in ASCII under their base64, as the protocol's own client sends them. A JavaScript
    server may read them as ``JSON.parse(atob(messages))``, which turns an ``é`` in UTF-8 into two characters.
    ``thread_id`` is the conversation on the server: two requests must never share one.
    """
    encoded = encode_json(messages)
    if not encoded.isascii():
        encoded = json.dumps(json.loads(encoded), separators=(",", ":")).encode("ascii")
    body: dict[str, object] = {
        "messages": b2a_base64(encoded, newline=False).decode("ascii"),
        "threadId": thread_id,
        "stream": stream,
        "aiAgent": model,
    }
    if params:
        body.update((key, value) for key, value in params.items() if key not in _RESERVED)
    return encode_json(body)


def refuses_optional(failure: Failure, *, stream: bool) -> bool:  # noqa: ARG001 - there is nothing to refuse
    """Return ``False``: the protocol has no optional fields."""
    return False
