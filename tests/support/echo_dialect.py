"""A made-up dialect: a path for each model, a key in a header of its own, and a field that may be refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from batch.records import Failure, JSONObject

from batch.wire.dialects.model_names import canonical_name

NAME = "echo"
MODELS: Collection[str] | None = ("loud", "soft")
ALIASES: Mapping[str, str] = {"fortissimo": "loud"}
DEFAULT_URL: str | None = None
URL_HINT = "write the address of your echo"
EMBEDDED_PATH: str | None = None
MODELS_PATH: str | None = None
HAS_LISTED_PRICES = False

_OWN = frozenset({"say", "to", "live", "trace"})


def canonical(name: str) -> str:
    """The canonical name. Raises ``ModelNotFoundError``."""
    return canonical_name(name, MODELS or (), ALIASES, "", "echo")


def url(base_url: str, model: str) -> str:
    """A path for each model."""
    address, mark, query = base_url.partition("?")
    return f"{address.rstrip('/')}/echo/{model}{mark}{query}"


def headers(user_agent: str, *, stream: bool) -> dict[str, str]:
    """The headers but for the key."""
    return {
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": user_agent,
    }


def key_headers(api_key: str) -> dict[str, str]:
    """The key in base64, in a header of its own."""
    return {"x-echo-key": base64.b64encode(api_key.encode()).decode()}


def encode(
    model: str,
    messages: Sequence[JSONObject],
    params: Mapping[str, object],
    *,
    thread_id: str,
    stream: bool,
    with_optional: bool,
) -> bytes:
    """The body. ``trace`` may be refused."""
    own = {"say": list(messages), "to": model, "live": stream}
    trace = {"trace": thread_id} if with_optional else {}
    others = {key: value for key, value in params.items() if key not in _OWN}
    return json.dumps({**others, **own, **trace}).encode()


def refuses_optional(failure: Failure, *, stream: bool) -> bool:
    """Whether the server refuses ``trace``."""
    return failure.http_status == 418
